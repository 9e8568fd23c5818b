"""What wraps an image is told by its content, and never at the price of a disk that PV-GRUB would see."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.formats import FORMATS, detect
from pvgrub_sim.media.sources.file import RawDisk
from tests.cli.running import MENU, Run
from tests.images import unpack_sparse
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
Make = Callable[[Path, Path], None]
"""Writes a container of the raw image (first) to a file (second)."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.img")


@pytest.fixture
def command(good: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(good, tmp_path, capfdbinary)


def qemu(format_: str, *options: str) -> Make:
    def make(raw: Path, made: Path) -> None:
        run("qemu-img", "convert", "-f", "raw", "-O", format_, *options, raw, made)

    return make


def packed(*words: str) -> Make:
    def make(raw: Path, made: Path) -> None:
        made.write_bytes(run(words[0], *words[1:], stdin=raw.read_bytes()))

    return make


def tar(*words: str) -> Make:
    def make(raw: Path, made: Path) -> None:
        run("tar", *words, "-cf", made, "-C", raw.parent, raw.name)

    return make


def cpio(kind: str) -> Make:
    def make(raw: Path, made: Path) -> None:
        made.write_bytes(run("cpio", "-D", raw.parent, "-H", kind, "-o", stdin=raw.name.encode()))

    return make


def swapped(raw: Path, made: Path) -> None:
    """As a machine of the other byte order has written it: cpio's own words, byte by byte."""
    cpio("bin")(raw, made)
    data = bytearray(made.read_bytes())
    data[::2], data[1::2] = data[1::2], data[::2]
    made.write_bytes(data)


def skipped(packer: str, size: int = 5) -> Make:
    """A frame that zstd and lz4 skip, before one of theirs. size: of what is in it, in bytes."""

    def make(raw: Path, made: Path) -> None:
        made.write_bytes(
            struct.pack("<II", 0x184D2A53, size) + bytes(size) + run(packer, "-qc", stdin=raw.read_bytes())
        )

    return make


def zipped(raw: Path, made: Path) -> None:
    run(sys.executable, "-m", "zipfile", "-c", made, raw)


def luks(raw: Path, made: Path) -> None:
    made.write_bytes(bytes(32 << 20))
    words = ("luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    run("cryptsetup", *words, made, stdin=b"key")


def kernel(raw: Path, made: Path) -> None:
    """The first sectors of a bzImage (Linux, Documentation/arch/x86/boot.rst)."""
    made.write_bytes(b"MZ".ljust(510, b"\0") + b"\x55\xaa\xeb\x6aHdrS\x0f\2" + b"\xa5" * 5000)


def split(raw: Path, made: Path) -> None:
    """The last part, which has the archive's own name."""
    (made.parent / "noise").write_bytes(bytes(range(256)) * 8 + os.urandom(200_000))
    run("zip", "-q", "-s", "64k", made.with_suffix(".zip"), made.parent / "noise")
    made.with_suffix(".zip").rename(made)


def text(begin: str) -> Make:
    def make(raw: Path, made: Path) -> None:
        made.write_text(begin + "ümlaut and words\n" * 400)

    return make


def beginning(head: bytes, end: bytes = b"") -> Make:
    """A format that no tool of Debian writes: its first or last bytes as its description gives them, then noise."""

    def make(raw: Path, made: Path) -> None:
        made.write_bytes(head + b"\xa5" * 5000 + end)

    return make


MADE: dict[str, tuple[str, Make]] = {
    "qcow2": ("qcow2", qemu("qcow2")),
    "qcow2-old": ("qcow2", qemu("qcow2", "-o", "compat=0.10")),
    "qcow": ("qcow", qemu("qcow")),
    "qed": ("qed", qemu("qed")),
    "parallels": ("parallels", qemu("parallels")),
    "vmdk": ("vmdk", qemu("vmdk")),
    "vmdk-stream": ("vmdk", qemu("vmdk", "-o", "subformat=streamOptimized")),
    "vmdk-flat": ("vmdk", qemu("vmdk", "-o", "subformat=monolithicFlat")),
    "vhd": ("vhd", qemu("vpc")),
    "vhd-fixed": ("vhd", qemu("vpc", "-o", "subformat=fixed")),
    "vhdx": ("vhdx", qemu("vhdx")),
    "vdi": ("vdi", qemu("vdi")),
    "gzip": ("gzip", packed("gzip", "-c")),
    "xz": ("xz", packed("xz", "-0c")),
    "zstd": ("zstd", packed("zstd", "-c")),
    "bzip2": ("bzip2", packed("bzip2", "-c")),
    "lz4": ("lz4", packed("lz4", "-c")),
    "lz4-legacy": ("lz4-legacy", packed("lz4", "-lc")),
    "lzma": ("lzma", packed("xz", "-0c", "--format=lzma")),
    "cpio": ("cpio", cpio("newc")),
    "cpio-odc": ("cpio", cpio("odc")),
    "cpio-bin": ("cpio", cpio("bin")),
    "cpio-bin-swapped": ("cpio", swapped),
    "compress": ("compress", beginning(b"\x1f\x9d\x90")),
    "zip-split": ("zip-split", beginning(b"PK\x07\x08PK\x03\x04\x14\0")),
    "zip-split-last": ("zip-split", split),
    "tar-v7": ("tar", tar("--format=v7")),
    "tar-label": ("tar", tar("-V", "label")),
    "tar-ustar": ("tar", tar("--format=ustar")),
    "lz4-skipped": ("lz4", skipped("lz4")),
    "lz4-skipped-large": ("lz4", skipped("lz4", 100_000)),
    "zstd-skipped": ("zstd", skipped("zstd")),
    "vmdk-words": ("vmdk", beginning(b"# Disk Descriptor File\nversion=1\n")),
    "lzop": ("lzop", packed("lzop", "-c")),
    "tar": ("tar", tar()),
    "zip": ("zip", zipped),
    "luks": ("luks", luks),
    "sesparse": ("sesparse", beginning(b"\xbe\xba\xfe\xca\0\0\0\0\x01\0\0\0\x02\0\0\0")),
    "ewf": ("ewf", beginning(b"EVF\x09\x0d\x0a\xff\0")),
    "ewf2": ("ewf", beginning(b"EVF2\x0d\x0a\x81\0")),
    "vma": ("vma", beginning(b"VMA\0\0\0\0\1")),
    "wim": ("wim", beginning(b"MSWIM\0\0\0")),
    "android-sparse": ("android-sparse", beginning(b"\x3a\xff\x26\xed\1\0\0\0")),
    "bochs": ("bochs", beginning(b"Bochs Virtual HD Image\0")),
    "lzip": ("lzip", beginning(b"LZIP\1")),
    "7z": ("7z", beginning(b"7z\xbc\xaf\x27\x1c\0\4")),
    "rar": ("rar", beginning(b"Rar!\x1a\x07\1\0")),
    "qcow2-newer": ("qcow2", beginning(b"QFI\xfb\0\0\0\4")),
    "vmdk-newer": ("vmdk", beginning(b"KDMV\4\0\0\0")),
    "gzip-flags": ("gzip", beginning(b"\x1f\x8b\7\x20")),
    "xz-flags": ("xz", beginning(b"\xfd7zXZ\0\1\x14")),
    "bzip2-damaged": ("bzip2", beginning(b"BZh9\0")),
    "lrzip": ("lrzip", beginning(b"LRZI\0\6")),
    "kernel": ("kernel", kernel),
    "elf": ("elf", lambda raw, made: made.write_bytes(Path(sys.executable).resolve().read_bytes()[:100_000])),
    "deb": ("package", lambda raw, made: run("ar", "rc", made, raw)),
    "rpm": ("package", beginning(b"\xed\xab\xee\xdb\3")),
    "ovf": ("ovf", text('<?xml version="1.0"?>\n<ovf:Envelope xmlns="x">\n')),
    "ovf-plain": ("ovf", text("<Envelope>")),
    "html": ("html", text("\n<!-- page -->\n<!DOCTYPE HTML>\n<html lang=de>")),
    "html-plain": ("html", text("<html>")),
    "vmx": ("ovf", text('.encoding = "UTF-8"\nconfig.version = "8"\n')),
    "vbox": ("ovf", text('<?xml version="1.0"?>\n<VirtualBox xmlns="http://www.virtualbox.org/">\n')),
    "dmg": ("dmg", beginning(b"", b"koly".ljust(512, b"\0"))),
    "xva": ("xva", beginning(b"ova.xml".ljust(512, b"\0"))),
    "bundle": ("bundle", beginning(b'<?xml version="1.0" ?><manifest><version>2007-10-10</version>')),
}  # fmt: skip
"""Name: the format, and how a file of it is made."""


@pytest.fixture(scope="module", params=MADE)
def made(request: pytest.FixtureRequest, good: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The format's name and a file of it, whose own name tells nothing."""
    name, make = MADE[request.param]
    file = tmp_path_factory.mktemp(request.param) / "disk.img"
    make(good, file)
    return name, file


def test_every_format_takes_part() -> None:
    assert {name for name, _ in MADE.values()} == set(FORMATS)


def test_content_tells(made: tuple[str, Path]) -> None:
    disk = RawDisk(made[1])
    assert detect(disk) == made[0]
    disk.close()


def test_what_is_not_read_is_named_in_one_line_and_raw_insists(made: tuple[str, Path]) -> None:
    name, file = made
    disk = open_disk(str(file), "raw")
    assert disk.read(0, 512) == file.read_bytes()[:512]
    disk.close()
    if FORMATS[name].opener:
        return
    with pytest.raises(ImageError) as caught:
        open_disk(str(file))
    assert FORMATS[name].words in str(caught.value) and FORMATS[name].remedy in str(caught.value)
    assert "\n" not in str(caught.value)


COMMANDS = {
    "boot": ["boot", "{}"],
    "boot --disk": ["boot", "{good}", "--disk", "/dev/sdb={}"],
    "inspect": ["inspect", "{}"],
    "ls": ["ls", "{}", "(hd0)/boot/"],
    "cat": ["cat", "--survey", "{}", MENU],
    "kernel": ["kernel", "{}:(hd0)/boot/vmlinuz"],
    "extract": ["extract", "{}:(hd0)/boot/vmlinuz", "-o", "{out}"],
    "repack": ["repack", "{}:(hd0)/boot/vmlinuz", "-o", "{out}"],
    "aki recommend": ["aki", "recommend", "{}", "--region", "eu-west-1"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_every_command_says_what_it_is(words: list[str], good: Path, command: Run, tmp_path: Path) -> None:
    file = tmp_path / "d.img"
    qemu("qed")(good, file)
    assert command(words, file) == 2
    if words[0] != "boot" or "--disk" not in words:
        command.refused()
    assert b"is a QED image" in command.err and b"qemu-img convert -O raw" in command.err
    assert command([*words, "--image-format", "raw"], file) in (0, 1, 2)
    assert b"QED" not in command.err
    assert command([*words, "--image-format", "nonsense"], file) == 2
    assert b"unknown image format 'nonsense'" in command.err


# --- what the guest writes into its own first sectors


def test_a_disk_with_a_partition_table_is_raw_whatever_it_begins_with(good: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    qemu("qcow2")(good, tmp_path / "q")
    disk.write_bytes((tmp_path / "q").read_bytes()[:440].ljust(440, b"\0") + bytes(4 << 20))
    run("sfdisk", "-q", disk, stdin=b"label: dos\nstart=2048, type=83\n")
    with disk.open("r+b") as file:
        file.write((tmp_path / "q").read_bytes()[:440])
    assert disk.read_bytes()[:4] == b"QFI\xfb"
    opened = open_disk(str(disk))
    assert isinstance(opened, RawDisk) and opened.size == disk.stat().st_size


@pytest.mark.parametrize("kind", ["ext2", "minix", "jfs", "reiserfs", "iso"])
def test_a_disk_with_a_filesystem_is_raw_whatever_it_begins_with(kind: str, good: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(40 << 20))
    match kind:
        case "ext2":
            run("mke2fs", "-q", "-F", disk)
        case "minix":
            run("mkfs.minix", disk)
        case "jfs":
            run("mkfs.jfs", "-q", disk)
        case "reiserfs":
            run("mkreiserfs", "-q", "-f", "-f", disk)
        case _:
            (tmp_path / "tree").mkdir()
            run("genisoimage", "-quiet", "-o", disk, tmp_path / "tree")
    qemu("qcow2")(good, tmp_path / "q")
    with disk.open("r+b") as file:
        file.write((tmp_path / "q").read_bytes()[:512])
    assert detect(RawDisk(disk)) == "raw"


def test_boot_of_a_raw_image_imports_nothing_of_formats(good: Path) -> None:
    code = "import sys; from pvgrub_sim.cli import main; main(['boot', sys.argv[1]]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, good], capture_output=True, text=True, check=False)
    modules = done.stdout.splitlines()[-1].split()
    assert "pvgrub_sim.media.sources.file" in modules
    assert not [name for name in modules if name.startswith("pvgrub_sim.media.formats")]


def test_a_format_that_was_asked_for_and_is_another_one(good: Path, tmp_path: Path) -> None:
    file = tmp_path / "disk.tar.gz"
    run("tar", "-czf", file, "-C", good.parent, good.name)
    for asked in ("tar", "zip", "qcow2", "vhd", "vdi"):
        with pytest.raises(ImageError, match=r"; by its content it is gzip-compressed$"):
            open_disk(str(file), asked)
    # What is inside is not what was asked for.
    broken = tmp_path / "broken.gz"
    broken.write_bytes(run("gzip", "-c", stdin=b"QFI\xfb\0\0\0\3" + bytes(5000)))
    with pytest.raises(ImageError, match="damaged qcow2 image") as caught:
        open_disk(str(broken), "gzip")
    assert "by its content" not in str(caught.value)
