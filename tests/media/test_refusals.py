"""What is not read is refused by its name; marks of trouble that do not matter to a reader are told."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import inspect_image
from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media import layers_of, open_disk
from tests.media.containers import MIB, QEMU_NAMES, as_raw, convert, create, scribble
from tests.tools import require, run


def refused(image: Path) -> str:
    with pytest.raises(ImageError) as caught:
        open_disk(str(image))
    said = str(caught.value)
    assert said.startswith(str(image)) and "\n" not in said
    return said


def patched(image: Path, at: int, content: bytes) -> Path:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(content)
    return image


@pytest.mark.parametrize(("method", "word"), [("aes", "AES"), ("luks", "LUKS")])
def test_an_encrypted_qcow2(method: str, word: str, tmp_path: Path) -> None:
    words = ["--object", "secret,id=s,data=key", "-o", f"encrypt.format={method},encrypt.key-secret=s"]
    if method == "luks":
        words[-1] += ",encrypt.iter-time=10"
    image = tmp_path / "disk"
    command = [require("qemu-img"), "create", "-q", "-f", "qcow2", *words, image, "1M"]
    while (made := subprocess.run(command, capture_output=True, check=False)).returncode:
        # It measures its own speed, and gives up where the clock of a busy machine makes no sense to it.
        assert b"accurate CPU usage" in made.stderr
    told = refused(image)
    assert f"qcow2 image that is encrypted ({word}), which is not read here" in told
    (tmp_path / "passphrase").write_bytes(b"key")
    pasted = told.split("`")[1].replace("PASSPHRASE", str(tmp_path / "passphrase")).replace("IMAGE", str(image))
    run(*pasted.replace("disk.raw", str(tmp_path / "raw")).split())
    assert (tmp_path / "raw").read_bytes() == bytes(1 << 20)


def test_an_unknown_feature_of_a_qcow2_by_its_own_table_and_by_its_number(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "qcow2", MIB)
    raw = image.read_bytes()
    patched(image, 72, (1 << 9).to_bytes(8, "big"))
    assert "has the unknown feature 'bit 9'" in refused(image)
    at = raw.index(b"dirty bit") - 2
    patched(image, at, struct.pack(">BB46s", 0, 9, b"holograms"))
    assert "has the unknown feature 'holograms'" in refused(image)


def test_a_qcow2_of_an_unknown_version_is_not_taken_for_raw_when_one_insists(tmp_path: Path) -> None:
    image = patched(create(tmp_path / "disk", "qcow2", MIB), 4, (4).to_bytes(4, "big"))
    with pytest.raises(ImageError, match="version 4 is unknown"):
        open_disk(str(image), "qcow2")


def test_marks_of_trouble_do_not_matter_to_a_reader(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "qcow2", MIB)
    scribble(image, "qcow2", MIB, "marks", 10)
    expected = as_raw(image, "qcow2")
    patched(image, 72, (1 | 2).to_bytes(8, "big"))
    disk = open_disk(str(image))
    assert "marked corrupt" in layers_of(disk)[0].detail
    assert disk.read(0, disk.size) == expected
    disk.close()


CONTRADICTIONS: dict[str, tuple[str, int, int, str]] = {
    "zeros in version 2": ("compat=0.10", 0, 1, "a cluster of zeros, which version 2 has not"),
    "a place and zeros": ("extended_l2=on", 8, 1 << 32, "a subcluster has a place, and is zeros as well"),
}
"""Name: an option of the image, which word behind a cluster's entry gets which bits, and what is said of it."""


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_an_entry_of_a_qcow2_that_contradicts_itself(name: str, tmp_path: Path) -> None:
    """qemu/docs/interop/qcow2.txt: such bits are reserved, or invalid together; qemu-img gives an error for them."""
    option, behind, bits, said = CONTRADICTIONS[name]
    image = create(tmp_path / "disk", "qcow2", MIB, option)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 64k", image)
    raw = image.read_bytes()
    (l1,) = struct.unpack_from(">Q", raw, 40)
    at = (struct.unpack_from(">Q", raw, l1)[0] & 0x00FF_FFFF_FFFF_FE00) + behind
    patched(image, at, struct.pack(">Q", struct.unpack_from(">Q", raw, at)[0] | bits))
    words = [require("qemu-img"), "convert", "-O", "raw", image, tmp_path / "raw"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1
    disk = open_disk(str(image))
    with pytest.raises(ImageError, match=said):
        disk.read(0, 4096)
    disk.close()


@pytest.mark.parametrize(("kind", "word"), [(3, "undo"), (4, "differencing"), (9, "of type 9")])
def test_a_vdi_that_needs_another(kind: int, word: str, tmp_path: Path) -> None:
    image = patched(create(tmp_path / "disk", "vdi", MIB), 76, kind.to_bytes(4, "little"))
    assert f"vdi image that is {word}" in refused(image)


@pytest.mark.parametrize(
    ("kind", "word"), [("SESPARSE", "an SEsparse extent of ESXi"), ("VMFSRDM", "a raw device of ESX")]
)
def test_a_vmdk_of_other_extents(kind: str, word: str, tmp_path: Path) -> None:
    lines = ["# Disk DescriptorFile", "version=1", "CID=1", "parentCID=ffffffff", f'RW 100 {kind} "disk-x.vmdk"', ""]
    (tmp_path / "disk.vmdk").write_text("\n".join(lines))
    assert f"vmdk image of {word}" in refused(tmp_path / "disk.vmdk")


def test_a_vmdk_that_went_through_a_transfer_of_text(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "vmdk", MIB)
    assert image.read_bytes()[73:77] == b"\n \r\n"
    assert "its line ends were changed" in refused(patched(image, 73, b"\n \n\n"))


def test_a_vhd_of_an_unknown_type_and_with_a_wrong_checksum(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "vhd", MIB)
    raw = bytearray(image.read_bytes())
    for at in (0, len(raw) - 512):
        raw[at + 60 : at + 64] = (7).to_bytes(4, "big")
        raw[at + 64 : at + 68] = bytes(4)
        raw[at + 64 : at + 68] = (~sum(raw[at : at + 512]) & 0xFFFFFFFF).to_bytes(4, "big")
    image.write_bytes(raw)
    assert "unknown type 7" in refused(image)
    assert "no footer with a right checksum" in refused(patched(patched(image, 70, b"\xff"), len(raw) - 442, b"\xfe"))


def test_a_vhd_whose_first_footer_is_damaged_is_read_by_the_last(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "vhd", 8 * MIB)
    scribble(image, "vhd", 8 * MIB, "footer", 10)
    expected = as_raw(image, "vhd")
    disk = open_disk(str(patched(image, 100, b"damage")))
    assert disk.read(0, disk.size) == expected
    disk.close()


def test_a_vhdx_whose_newest_header_or_first_region_table_is_damaged(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "vhdx", 8 * MIB)
    scribble(image, "vhdx", 8 * MIB, "header", 10)
    expected = as_raw(image, "vhdx")
    raw = image.read_bytes()
    older = min((64 << 10, 128 << 10), key=lambda at: struct.unpack_from("<Q", raw, at + 8)[0])
    patched(patched(image, older + 20, b"damage"), (192 << 10) + 30, b"damage")
    disk = open_disk(str(image))
    assert disk.read(0, disk.size) == expected
    disk.close()
    patched(image, (64 << 10) + (128 << 10) - older + 20, b"damage")
    patched(image, (64 << 10) + 20, b"damage")
    patched(image, (128 << 10) + 20, b"damage")
    assert "no header with a right checksum" in refused(image)


CUT: dict[str, tuple[tuple[str, ...], int]] = {
    "vhd": (("force_size=on",), 70_000),
    "vhdx": (("block_size=8M",), 5 * MIB),
    "vhdx fixed": (("subformat=fixed", "block_size=2M"), 513),
}
"""Format: the image's options, and the bytes that are missing, in the middle of the last block that has the disk's."""


@pytest.mark.parametrize("name", CUT)
def test_a_block_whose_end_is_missing_is_no_zeros(name: str, tmp_path: Path) -> None:
    """qemu-img reads none of such an image: "The image has been truncated"."""
    options, missing = CUT[name]
    raw = tmp_path / "raw"
    raw.write_bytes(random.Random(name).randbytes(20 * MIB))
    image = convert(raw, tmp_path / "disk", name.split(maxsplit=1)[0], options)
    os.truncate(image, image.stat().st_size - missing)
    qemu_name = QEMU_NAMES.get(name, name.split(maxsplit=1)[0])
    words = [require("qemu-img"), "convert", "-f", qemu_name, "-O", "raw", image, raw]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1
    disk = open_disk(str(image))
    with pytest.raises(ImageError, match="is truncated: it ends in the middle of a block"):
        disk.read(0, disk.size)
    disk.close()


@pytest.mark.parametrize("format_", ["qcow2", "vmdk", "vhd", "vhdx", "vdi"])
def test_a_format_that_is_insisted_on_and_is_not_there(format_: str, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(4 * MIB))
    with pytest.raises(ImageError, match=format_):
        open_disk(str(tmp_path / "disk"), format_)


def test_an_unknown_format_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(4 * MIB))
    with pytest.raises(UsageError, match="unknown image format 'qcow9': auto, raw, qcow2, vmdk"):
        open_disk(str(tmp_path / "disk"), "qcow9")


def test_a_survey_has_the_layers_and_that_of_a_raw_image_none(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "qcow2", MIB)
    told = inspect_image(image).to_json()["layers"]
    assert told == [{"format": "qcow2", "name": str(image), "size": MIB, "detail": "v3, clusters of 65536"}]
    assert inspect_image(image, image_format="raw").to_json()["layers"] == []


@pytest.mark.parametrize("words", [["lzop", "-c"], ["xz", "--format=lzma", "-c"], ["lz4", "-l", "-q", "-c"]])
def test_the_command_that_unpacks_it_does_so_whatever_its_name_is(words: list[str], tmp_path: Path) -> None:
    content = bytes(range(256)) * 64
    (tmp_path / "raw").write_bytes(content)
    require(words[0])
    packed = subprocess.run([*words, tmp_path / "raw"], capture_output=True, check=True).stdout
    (tmp_path / "IMAGE").write_bytes(packed)
    command = refused(tmp_path / "IMAGE").split("`")[1]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "disk.img").read_bytes() == content


@pytest.mark.parametrize(("kind", "kept"), [("vhd", 300_000), ("vhdx", 8_500_000), ("vdi", 1_200_000)])
def test_a_file_that_ends_in_the_middle_of_a_block_has_no_zeros_there(kind: str, kept: int, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(b"data" * (MIB // 2))
    image = convert(raw, tmp_path / "disk", kind)
    os.truncate(image, kept)
    disk = open_disk(str(image))
    with pytest.raises(ImageError, match="truncated: it ends in the middle of a block"):
        disk.read(0, disk.size)
    disk.close()


def test_a_pipe_is_called_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe: write it to a file first" in refused(tmp_path / "pipe")
