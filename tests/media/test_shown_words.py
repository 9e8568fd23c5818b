"""Words of an image that are shown: however long they are, messages and details are of a length that can be read."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pvgrub_sim import boot, inspect_image, render_report
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import layers_of, open_disk
from pvgrub_sim.media.machine import Booting
from pvgrub_sim.safetext import cut, quoted
from tests.media.containers import create
from tests.media.machines import ova_xml, write_xva
from tests.media.test_tar_limits import member
from tests.media.writers import write_differencing_vhd, write_differencing_vhdx

MIB = 1 << 20
LONG = "A" * 900_000
LONGEST = 600
"""Characters of a detail or a message, besides the folder that the image lies in."""


def descriptor(path: Path, *lines: str) -> Path:
    text = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", *lines, ""]
    path.write_text("\n".join(text))
    return path


def xva(path: Path, reference: str) -> Path:
    path.write_bytes(member("ova.xml", ova_xml([("0", reference, MIB)])) + bytes(1024))
    return path


def vhdx(folder: Path) -> Path:
    name = "A" * 5000
    write_differencing_vhdx(
        folder / "d.vhdx", folder / name, MIB, {}, whole=set(), zero=set(), linkage=uuid.UUID(int=1)
    )
    return folder / "d.vhdx"


def vhd(folder: Path) -> Path:
    create(folder / "base.vhd", "vhd", 4 * MIB)
    write_differencing_vhd(folder / "d.vhd", folder / "base.vhd", {}, locator=".\\" + "A" * 2000)
    (folder / "base.vhd").unlink()
    return folder / "d.vhd"


REFUSED = {
    "a VMDK's parent": lambda folder: descriptor(
        folder / "d", "parentCID=12345678", f'parentFileNameHint="{LONG}"', "RW 8 ZERO"
    ),
    "a VMDK's extent": lambda folder: descriptor(folder / "d", f'RW 8 FLAT "{LONG}" 0'),
    "a VMDK extent's type": lambda folder: descriptor(folder / "d", f'RW 8 {LONG} "x" 0'),
    "a VHDX's parent": vhdx,
    "a VHD's parent": vhd,
    "an XVA's reference": lambda folder: xva(folder / "d", LONG),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_message_is_one_that_can_be_read(what: str, tmp_path: Path) -> None:
    image = REFUSED[what](tmp_path)
    with pytest.raises(ImageError) as caught:
        open_disk(str(image)).read(0, 512)
    assert len(str(caught.value)) < LONGEST + len(str(tmp_path))


def test_a_disk_is_called_by_no_reference_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="a disk whose reference has 201 characters"):
        open_disk(str(xva(tmp_path / "d", "R" * 201)))
    disk = open_disk(str(xva(tmp_path / "d", "R" * 200)))
    assert layers_of(disk)[0].name.endswith(":" + "R" * 200)
    disk.close()


def test_the_type_of_a_vmdk(tmp_path: Path) -> None:
    image = descriptor(tmp_path / "d.vmdk", f'createType="{LONG}"', "RW 8 ZERO")
    disk = open_disk(str(image))
    detail = layers_of(disk)[0].detail
    assert detail.startswith("AAAA") and detail.endswith("AAA, zeros") and "…" in detail and len(detail) < LONGEST
    disk.close()
    assert len(inspect_image(image).layers[0].detail) < LONGEST


def test_the_parent_of_a_vmdk_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    descriptor(tmp_path / "base", "RW 8 ZERO")
    hint = "x/../" * 600 + "base"
    disk = open_disk(str(descriptor(tmp_path / "d", "parentCID=fffffffe", f'parentFileNameHint="{hint}"', "RW 8 ZERO")))
    assert layers_of(disk)[0].detail.endswith("x/../base'") and len(layers_of(disk)[0].detail) < LONGEST
    disk.close()


def test_the_backing_file_of_a_qcow2(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    base = create(tmp_path / "base", "qcow2", MIB)
    create(tmp_path / "d", "qcow2", MIB, backing=(str(tmp_path) + "/./" * 200 + base.name, "qcow2"))
    disk = open_disk(str(tmp_path / "d"))
    assert "backing file '" in layers_of(disk)[0].detail and len(layers_of(disk)[0].detail) < 300
    disk.close()


def test_what_pv_grub_is_started_with_has_the_length_that_a_domain_has_room_for(tmp_path: Path) -> None:
    image = tmp_path / "m.xva"
    kernel = "/usr/lib/xen/boot/pv-grub-x86_64.gz"
    write_xva(image, [("0", "Ref:1", bytes(MIB))], PV_kernel=kernel, PV_args="(hd0)/" + LONG)
    assert len(render_report([boot(image)], "text")) < 20_000
    assert Booting(kernel=kernel, arguments="é" * 600).config == "é" * 511 + "\udcc3"
    assert Booting(kernel=kernel, arguments="(hd0)/menu").config == "(hd0)/menu"


def test_any_reason_has_an_end() -> None:
    error = ImageError("d.img", "begins " + LONG + " ends", 5)
    assert len(str(error)) < 5000 and error.reason.startswith("begins") and error.reason.endswith("ends")
    assert ImageError("d.img", error.reason).reason == error.reason
    assert ImageError("d.img", "is empty").reason == "is empty"


def test_words_are_cut_where_they_are_long_only() -> None:
    assert cut("x" * 200) == "x" * 200
    assert cut("b" * 300 + "e" * 300) == "b" * 100 + "…" + "e" * 50
    assert quoted("a\nb'") == repr("a\nb'")
