"""Archives of more than one file: which of them is the disk, what lies beside it, and where nobody can tell."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import Disk, layers_of, open_disk
from pvgrub_sim.media.disk import Machine
from tests.media.containers import MIB, as_raw, convert, create, noise, scribble
from tests.tools import require, run

Pack = Callable[[Path, Sequence[Path]], Path]


def tarred(to: Path, files: Sequence[Path]) -> Path:
    run("tar", "-cf", to, "-C", files[0].parent, *(file.name for file in files))
    return to


def tar_gzipped(to: Path, files: Sequence[Path]) -> Path:
    run("tar", "-czf", to, "-C", files[0].parent, *(file.name for file in files))
    return to


def zipped(to: Path, files: Sequence[Path]) -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return to


@pytest.fixture(params=[tarred, tar_gzipped, zipped])
def pack(request: pytest.FixtureRequest) -> Pack:
    made: Pack = request.param
    return made


def filesystem(path: Path, text: str) -> Path:
    tree = path.with_name(path.name + ".tree")
    tree.mkdir()
    (tree / "name").write_text(text)
    run("mke2fs", "-q", "-t", "ext2", "-d", tree, path, "2M")
    return path


def iso(path: Path) -> Path:
    folder = path.with_name("seed")
    folder.mkdir()
    (folder / "user-data").write_text("#cloud-config\n")
    run(require("genisoimage"), "-quiet", "-o", path, folder)
    return path


def content(path: Path) -> bytes:
    disk = open_disk(str(path))
    found = disk.read(0, disk.size)
    disk.close()
    return found


def test_what_is_no_disk_does_not_stand_for_the_disk_behind_it(pack: Pack, tmp_path: Path) -> None:
    disk = filesystem(tmp_path / "vm.raw", "disk")
    noise(tmp_path / "OVMF_VARS.bin", 65536, "firmware")
    run(require("mkswap"), "-q", create(tmp_path / "swap.img", "raw", MIB))
    cpio = run("cpio", "-D", tmp_path, "-H", "newc", "-o", stdin=b"OVMF_VARS.bin")
    (tmp_path / "live.img").write_bytes(run("gzip", "-c", stdin=cpio))
    (tmp_path / "stage2.bin").write_bytes(Path(sys.executable).resolve().read_bytes()[:50_000])
    (tmp_path / "page.raw").write_text("<html>" + "notes on it\n" * 1000)
    others = [
        tmp_path / "live.img",
        tmp_path / "stage2.bin",
        tmp_path / "page.raw",
        tmp_path / "OVMF_VARS.bin",
        tmp_path / "swap.img",
        iso(tmp_path / "cloud-init.iso"),
    ]
    assert content(pack(tmp_path / "archive", [*others, disk])) == disk.read_bytes()
    inner = convert(disk, tmp_path / "vm.qcow2", "qcow2")
    assert content(pack(tmp_path / "archive", [*others, inner])) == disk.read_bytes()
    alone = pack(tmp_path / "archive", others[3:4])
    assert content(alone) == others[3].read_bytes()
    with pytest.raises(ImageError, match="is a web page"):
        content(pack(tmp_path / "archive", others[2:3]))


@pytest.mark.parametrize("kind", ["jfs", "reiserfs", "xfs"])
def test_a_filesystem_whose_marks_lie_further_on_is_a_disk(kind: str, pack: Pack, tmp_path: Path) -> None:
    disk = create(tmp_path / "root.img", "raw", (300 if kind == "xfs" else 34) * MIB)
    run(*{"jfs": ["mkfs.jfs", "-q"], "reiserfs": ["mkreiserfs", "-qff"], "xfs": ["mkfs.xfs", "-qf"]}[kind], disk)
    assert content(pack(tmp_path / "archive", [iso(tmp_path / "seed.iso"), disk])) == disk.read_bytes()


def test_of_several_disks_none_is_chosen(pack: Pack, tmp_path: Path) -> None:
    files = [filesystem(tmp_path / name, name) for name in ("one.img", "two.img")]
    with pytest.raises(ImageError, match=r"several disk images \('one.img', 'two.img'\): unpack it") as caught:
        open_disk(str(pack(tmp_path / "archive", files)))
    assert "\n" not in str(caught.value)
    # Nor by a suffix that nobody gave them.
    files = [file.rename(file.with_suffix("")) for file in files]
    with pytest.raises(ImageError, match=r"several disk images \("):
        open_disk(str(pack(tmp_path / "archive", files)))


def test_a_file_without_an_images_name_counts_where_none_has_one(pack: Pack, tmp_path: Path) -> None:
    disk = filesystem(tmp_path / "rootfs", "disk")
    (tmp_path / "README.gz").write_bytes(run("gzip", "-c", stdin=b"text " * 5000))
    assert content(pack(tmp_path / "archive", [tmp_path / "README.gz", disk])) == disk.read_bytes()


def test_a_small_file_may_be_a_disk_when_it_is_compressed(pack: Pack, tmp_path: Path) -> None:
    disk = create(tmp_path / "raw", "raw", 8 * MIB)
    (tmp_path / "disk.img.zst").write_bytes(run("zstd", "-qc", stdin=disk.read_bytes()))
    assert (tmp_path / "disk.img.zst").stat().st_size < 4096
    assert content(pack(tmp_path / "archive", [tmp_path / "disk.img.zst"])) == bytes(8 * MIB)


def test_the_backing_file_lies_in_the_archive_as_well(pack: Pack, tmp_path: Path) -> None:
    noise(tmp_path / "base.img", 2 * MIB, "base")
    create(tmp_path / "mid.qcow2", "qcow2", 2 * MIB, backing=("base.img", "raw"))
    scribble(tmp_path / "mid.qcow2", "qcow2", 2 * MIB, "mid", 10)
    create(tmp_path / "top.qcow2", "qcow2", 2 * MIB, backing=("mid.qcow2", "qcow2"))
    scribble(tmp_path / "top.qcow2", "qcow2", 2 * MIB, "top", 10)
    expected = as_raw(tmp_path / "top.qcow2", "qcow2")
    files = [tmp_path / name for name in ("base.img", "top.qcow2", "mid.qcow2")]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    archive = pack(elsewhere / "archive", files)
    # A file of that name beside the archive is not meant.
    noise(elsewhere / "base.img", 2 * MIB, "another")
    disk = open_disk(str(archive))
    assert disk.read(0, disk.size) == expected
    assert [layer.format for layer in layers_of(disk) if layer.format in ("qcow2", "raw")] == ["qcow2", "qcow2"]
    disk.close()


def test_a_backing_file_that_is_not_in_the_archive(pack: Pack, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    base = noise(tmp_path / "base.img", 2 * MIB, "base")
    create(inner / "top.qcow2", "qcow2", 2 * MIB, backing=("../base.img", "raw"))
    archive = pack(inner / "archive", [inner / "top.qcow2"])
    with pytest.raises(ImageError, match=r"backing file '../base.img' is not in the archive \(--allow-backing DIR"):
        open_disk(str(archive))
    assert base.exists()


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_in_several_files(kind: str, pack: Pack, tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 6 * MIB, kind)
    folder = tmp_path / "vm"
    folder.mkdir()
    convert(raw, folder / "disk.vmdk", "vmdk", (f"subformat={kind}",))
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    assert len(files) == 2
    assert content(pack(tmp_path / "archive", files)) == raw.read_bytes()
    assert content(pack(tmp_path / "archive", files[::-1])) == raw.read_bytes()


def ovf(path: Path, *files: str) -> Path:
    references = "".join(f"<File id='f{n}' href='{name}'/>" for n, name in enumerate(files))
    disks = "".join(f"<Disk diskId='d{n}' fileRef='f{n}'/>" for n in range(len(files)))
    items = "".join(
        f"<Item><HostResource>ovf:/disk/d{n}</HostResource><ResourceType>17</ResourceType></Item>"
        for n in range(len(files))
    )
    path.write_text(
        f"<Envelope><References>{references}</References><DiskSection>{disks}</DiskSection>"
        f"<VirtualSystem><VirtualHardwareSection>{items}</VirtualHardwareSection></VirtualSystem></Envelope>"
    )
    return path


def test_a_machine_is_one_wherever_its_description_stands(pack: Pack, tmp_path: Path) -> None:
    raws = [filesystem(tmp_path / f"{name}.img", name) for name in ("b", "a")]
    disks = [convert(raw, raw.with_suffix(".vmdk"), "vmdk", ("subformat=streamOptimized",)) for raw in raws]
    described = ovf(tmp_path / "vm.ovf", *(disk.name for disk in disks))
    for order in ([described, *disks], [*reversed(disks), described], [disks[0], described, disks[1]]):
        machine: Disk = open_disk(str(pack(tmp_path / "archive", order)))
        assert isinstance(machine, Machine)
        assert [disk.read(0, disk.size) for _, disk in machine.disks] == [raw.read_bytes() for raw in raws]
        machine.close()


def test_a_machine_in_a_machine_is_refused(pack: Pack, tmp_path: Path) -> None:
    archive = filesystem(tmp_path / "disk.img", "disk")
    for depth in range(2):
        described = ovf(tmp_path / "vm.ovf", *[archive.name] * 16)
        archive = pack(tmp_path / f"archive{depth}", [described, archive])
    with pytest.raises(ImageError, match="a machine in another machine"):
        open_disk(str(archive))


def test_archives_of_archives_are_opened_a_bounded_number_of_times(pack: Pack, tmp_path: Path) -> None:
    files = [filesystem(tmp_path / f"{n}.img", f"{n}") for n in range(8)]
    for depth in range(4):
        archive = pack(tmp_path / f"archive{depth}", files)
        files = [tmp_path / f"{depth}-{n}.img" for n in range(8)]
        for file in files:
            file.hardlink_to(archive)
    with pytest.raises(ImageError, match=r"several disk images|more than 100 images|more than 8 times"):
        open_disk(str(pack(tmp_path / "archive", files)))


def test_archives_in_each_other_are_layers(pack: Pack, tmp_path: Path) -> None:
    archive = filesystem(tmp_path / "disk.img", "disk")
    for depth in range(9):
        archive = pack(tmp_path / f"archive{depth}.img", [archive])
    with pytest.raises(ImageError, match="is wrapped more than 8 times"):
        open_disk(str(archive))


@pytest.mark.parametrize(("flag", "name"), [("-z", "disk.raw"), ("-z", "vm.img"), ("-J", "vm.img")])
def test_no_more_is_unpacked_than_is_needed_to_know_that_there_is_one_image(
    flag: str, name: str, tmp_path: Path
) -> None:
    disk = filesystem(tmp_path / name, "disk")
    with disk.open("r+b") as file:
        file.truncate(300 * MIB)
    run("tar", flag, "-cf", tmp_path / "archive", "-C", tmp_path, name)
    opened = open_disk(str(tmp_path / "archive"))
    assert opened.read(0, 4096) == disk.read_bytes()[:4096]
    assert 0 < opened.below.unpacked < 100 * MIB  # type: ignore[attr-defined]  (it lies in a spool)
    opened.close()


def test_a_compressed_machine_is_unpacked_no_further_than_its_disks_are_found(tmp_path: Path) -> None:
    disk = filesystem(tmp_path / "disk.img", "disk")
    noise(tmp_path / "behind", 100 * MIB, "behind")
    archive = tar_gzipped(tmp_path / "archive", [ovf(tmp_path / "vm.ovf", disk.name), disk, tmp_path / "behind"])
    machine = open_disk(str(archive))
    assert isinstance(machine, Machine)
    assert machine.disks[0][1].read(0, 4096) == disk.read_bytes()[:4096]
    assert machine.disks[0][1].below.unpacked < 50 * MIB  # type: ignore[attr-defined]  (it lies in a spool)
    machine.close()
