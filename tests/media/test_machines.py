"""XVA, OVA, tar, zip and EC2 bundles: every byte as a second implementation reads it, and machines with all disks."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from pvgrub_sim import boot, open_image
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Machine
from pvgrub_sim.model import Outcome
from pvgrub_sim.request import read_request
from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.media.machines import MIB, all_equal, read_xva, write_ova, write_xva
from tests.tools import require, run

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.raw")


def holey(size: int, seed: int = 1) -> bytes:
    """Bytes with long stretches of zeros."""
    rng = random.Random(seed)
    data = bytearray(size)
    for _ in range(size // MIB // 2 + 2):
        at = rng.randrange(size)
        piece = rng.randbytes(rng.randrange(1, 300_000))[: size - at]
        data[at : at + len(piece)] = piece
    return bytes(data)


def attached(path: Path) -> list[tuple[int, str]]:
    """The vbd numbers and devices under which boot() attaches a machine's disks."""
    with ExitStack() as stack:
        request = read_request(path, stack, disks=None, device=None, aki=None, pvgrub=None, arch="auto", config=None,
                               ami=None, image_format="auto", access=None)  # fmt: skip
        return [(disk.vbd, disk.device) for disk in request.disks]


# --- XVA


@pytest.mark.parametrize("checksum", ["checksum", "xxhash"])
@pytest.mark.parametrize("keepalive", [0, 3])
@pytest.mark.parametrize("size", [12 * MIB, 12 * MIB + 512, 300_000])
def test_xva_is_read_as_xva_img_reads_it(checksum: str, keepalive: int, size: int, tmp_path: Path) -> None:
    require("xva-img")
    disks = [("1", "Ref:7", holey(size)), ("0", "Ref:21", holey(20 * MIB, 2))]
    path = tmp_path / "machine.xva"
    write_xva(path, disks, checksum=checksum, keepalive=keepalive)
    foreign = read_xva(path, tmp_path / "out")
    disk = open_image(path)
    assert isinstance(disk, Machine)
    assert [device for device, _ in disk.disks] == ["/dev/xvda", "/dev/xvdb"]
    all_equal(disk.disks[0][1], foreign["Ref:21"])
    all_equal(disk.disks[1][1], foreign["Ref:7"])
    assert (foreign["Ref:7"], foreign["Ref:21"]) == (disks[0][2], disks[1][2])
    disk.close()


@pytest.mark.parametrize("packer", [None, "gzip", "zstd"])
def test_xva_boots_as_the_image_in_it(good: Path, packer: str | None, tmp_path: Path) -> None:
    path = tmp_path / "machine.xva"
    kernel = "/usr/lib/xen/boot/pv-grub-x86_64.gz"
    write_xva(path, [("0", "Ref:3", good.read_bytes()), ("2", "Ref:4", bytes(4 * MIB))], PV_kernel=kernel,
              PV_args="(hd0)/boot/grub/menu.lst", PV_bootloader="")  # fmt: skip
    if packer:
        path.write_bytes(run(packer, "-c", stdin=path.read_bytes()))
    raw = boot(good, device="xvda", disks={"xvdc": open_image(good)}, config="(hd0)/boot/grub/menu.lst", findings=False)
    verdict = boot(path, findings=False)
    assert verdict.outcome is Outcome.BOOTS
    assert verdict.console == raw.console and verdict.kernel == raw.kernel
    assert attached(path) == [(51712, "/dev/xvda"), (51744, "/dev/xvdc")]
    assert verdict.config == "(hd0)/boot/grub/menu.lst"


def test_a_pv_kernel_that_is_not_pv_grub_gives_it_no_config(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "machine.xva"
    write_xva(path, [("0", "Ref:3", good.read_bytes())], PV_bootloader="pygrub", PV_args="quiet", PV_kernel="")
    disk = open_image(path)
    assert isinstance(disk, Machine)
    assert disk.booting.bootloader == "pygrub" and disk.booting.config is None
    disk.close()


def spoiled(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) >= 1 and len(old) == len(new)
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("checksum", ["checksum", "xxhash"])
def test_a_chunk_that_is_not_what_was_exported_is_an_error(checksum: str, tmp_path: Path) -> None:
    path = tmp_path / "machine.xva"
    data = bytes(2 * MIB) + b"here it is" * 1000 + bytes(MIB)
    write_xva(path, [("0", "Ref:3", data)], checksum=checksum)
    spoiled(path, b"here it is", b"there it i")
    disk = open_image(path)
    assert disk.read(0, 512) == bytes(512)
    with pytest.raises(ImageError, match=f"does not have its checksum .{checksum}"):
        disk.read(2 * MIB, 512)
    disk.close()


def test_a_truncated_xva_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "machine.xva"
    data = os.urandom(4 * MIB)
    write_xva(path, [("0", "Ref:3", data)])
    path.write_bytes(path.read_bytes()[: 3 * MIB])
    disk = open_image(path)
    assert disk.read(0, MIB) == data[:MIB]
    with pytest.raises(ImageError):
        disk.read(2 * MIB, 2 * MIB)
    disk.close()


@pytest.mark.parametrize("cut", ["Ref:3/00000002", "Ref:3/00000009", "Ref:3/00000010"])
def test_an_xva_that_ends_between_two_members_has_no_zeros_behind(cut: str, tmp_path: Path) -> None:
    """The last chunk of a disk is always there, whatever it holds."""
    path = tmp_path / "machine.xva"
    data = os.urandom(MIB) + bytes(MIB) + os.urandom(MIB) + bytes(6 * MIB) + os.urandom(MIB) + bytes(MIB)
    write_xva(path, [("0", "Ref:3", data)])
    with tarfile.open(path) as archive:
        end = archive.getmember(cut).offset
    path.write_bytes(path.read_bytes()[:end])
    disk = open_image(path)
    assert disk.read(0, MIB) == data[:MIB]
    with pytest.raises(ImageError, match="ends before the last chunk of the disk Ref:3"):
        disk.read(10 * MIB, MIB)
    with pytest.raises(ImageError, match="ends before the last chunk of the disk Ref:3"):
        disk.read(int(cut[-2:]) * MIB, MIB)
    disk.close()


# --- OVA


@pytest.mark.parametrize("format_", ["vmdk", "raw", "gz"])
def test_ova_is_a_machine(format_: str, good: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.disk", tmp_path / "second.disk"
    data = tmp_path / "data.raw"
    data.write_bytes(holey(5 * MIB))
    for raw, made in ((good, first), (data, second)):
        if format_ == "vmdk":
            run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, made)
        else:
            made.write_bytes(run("gzip", "-c", raw) if format_ == "gz" else raw.read_bytes())
    path = tmp_path / "machine.ova"
    write_ova(path, [(1, second), (0, first)], PV_kernel="/boot/pv-grub-x86_64", PV_args="(hd0)/boot/grub/menu.lst")
    disk = open_image(path)
    assert isinstance(disk, Machine)
    all_equal(disk.disks[0][1], good.read_bytes())
    all_equal(disk.disks[1][1], data.read_bytes())
    assert disk.booting.config == "(hd0)/boot/grub/menu.lst"
    disk.close()
    verdict = boot(path, findings=False)
    assert verdict.outcome is Outcome.BOOTS
    assert attached(path) == [(51712, "/dev/xvda"), (51728, "/dev/xvdb")]


@pytest.mark.parametrize("href", ["../../etc/passwd", "/etc/passwd", "http://127.0.0.1/x", "a/../../b", "not-there"])
def test_ova_names_no_file_outside(href: str, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "machine.ova"
    disk = tmp_path / "first.disk"
    disk.write_bytes(good.read_bytes())
    write_ova(path, [(0, disk)])
    with tarfile.open(path) as archive:
        text = archive.extractfile(archive.getmembers()[0]).read().decode()  # type: ignore[union-attr]  # a file
    ovf = tmp_path / "other.ovf"
    ovf.write_text(text.replace('href="first.disk"', f'href="{href}"'))
    with tarfile.open(path, "w") as archive:
        archive.add(ovf, "other.ovf")
        archive.add(disk, "first.disk")
    with pytest.raises(ImageError, match=r"no file of the archive|not in the archive"):
        open_image(path)


# --- tar and zip


TARS = {
    "ustar": ["--format=ustar"], "gnu": ["--format=gnu"], "pax": ["--format=pax"],
    "old sparse": ["--format=oldgnu", "-S"],
    "gnu sparse": ["--format=gnu", "-S"], "sparse 1.0": ["--format=pax", "-S", "--sparse-version=1.0"],
    "sparse 0.1": ["--format=pax", "-S", "--sparse-version=0.1"],
    "sparse 0.0": ["--format=pax", "-S", "--sparse-version=0.0"],
}  # fmt: skip


@pytest.mark.parametrize("options", TARS.values(), ids=TARS)
@pytest.mark.parametrize("packer", [None, "gzip", "xz", "bzip2", "zstd", "lz4"])
def test_tar_is_read_as_tar_reads_it(options: list[str], packer: str | None, tmp_path: Path) -> None:
    if packer:
        require(packer)
    name = "a" * 120 + "/disk.raw"
    (tmp_path / "a" / ("a" * 120)).mkdir(parents=True)
    raw = holey(9 * MIB + 512)
    raw = raw[: 2 * MIB] + bytes(3 * MIB) + raw[5 * MIB :]
    with (tmp_path / "a" / name).open("wb") as file:
        for at in range(0, len(raw), 4096):
            if raw[at : at + 4096].strip(b"\0"):
                file.seek(at)
                file.write(raw[at : at + 4096])
        file.truncate(len(raw))
    (tmp_path / "a" / "README").write_text("what this is\n")
    made = run("tar", "-C", tmp_path / "a", *options, "-c", "README", name)
    path = tmp_path / "image.tar"
    path.write_bytes(run(packer, "-c", stdin=made) if packer else made)
    foreign = subprocess.run(["tar", "-xO", name], input=made, capture_output=True, check=True).stdout
    assert foreign == raw
    disk = open_image(path)
    all_equal(disk, foreign)
    disk.close()


def test_a_root_filesystem_in_a_tar_is_named(tmp_path: Path) -> None:
    for name in ("bin", "etc", "usr"):
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "file").write_bytes(b"x" * 8192)
    path = tmp_path / "root.tar.gz"
    path.write_bytes(run("tar", "-C", tmp_path / "root", "-cz", "."))
    with pytest.raises(ImageError, match=r"root filesystem.*mke2fs -d"):
        open_image(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(method: int, tmp_path: Path) -> None:
    raw = holey(5 * MIB)
    path = tmp_path / "image.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("README", "x" * 5000)
        with archive.open("folder/disk.img", "w", force_zip64=True) as file:
            file.write(raw)
    disk = open_image(path)
    all_equal(disk, raw)
    disk.close()


def test_a_zip_with_a_wrong_crc_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "image.zip"
    raw = holey(2 * MIB)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("disk.img", raw)
        crc = archive.getinfo("disk.img").CRC
    spoiled(path, crc.to_bytes(4, "little"), (crc ^ 1).to_bytes(4, "little"))
    disk = open_image(path)
    with pytest.raises(ImageError, match="CRC"):
        disk.read(0, len(raw))
        disk.read(0, disk.size)
    disk.close()


def test_the_commands_take_machines(good: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "machine.xva"
    write_xva(path, [("0", "Ref:3", good.read_bytes())])
    command = Run(good, tmp_path, capfdbinary)
    for words in (["ls", "{}", "(hd0)/boot/"], ["cat", "{}", "(hd0)/boot/grub/menu.lst"],
                  ["kernel", "{}:(hd0)/boot/vmlinuz"],
                  ["aki", "recommend", "--region", "eu-west-1", "{}"]):  # fmt: skip
        local = command(words, good), command.out
        assert (command(words, path), command.out.replace(str(path).encode(), str(good).encode())) == local
    assert command(["inspect", "{}"], path) == 0
    assert b"xva" in command.out and b"the first of a machine's" not in command.out
    write_xva(path, [("0", "Ref:3", good.read_bytes()), ("1", "Ref:5", bytes(MIB))])
    assert command(["inspect", "{}"], path) == 0
    assert b"chunks with checksums, the first of a machine's 2 disks" in command.out
