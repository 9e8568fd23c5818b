"""The configuration of a Xen domain: held against xl's own parser, and what `boot --xl-config` makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvgrub_sim import ImageError, UsageError, read_xl_config
from pvgrub_sim.cli import main
from pvgrub_sim.xl.disks import parse_disk
from pvgrub_sim.xl.syntax import Value, parse
from tests.images import unpack_sparse
from tests.rounds import rounds
from tests.tools import run as tool
from tests.xl import xlutil

DISKS = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"
IMAGES = Path(__file__).parents[2] / "fixtures" / "images"

CONFIGS = [
    'name = "guest"\nmemory = 256\nvif = [ "mac=00:16:3e:00:00:01,bridge=xenbr0" ]\n',
    "a='x';b=\"y\"\n",
    "a = 0x10\nb = 010\n",
    'a = [ "1",\n  "2", # said twice\n\n "3", ]\n',
    'a = [ ]\nb = [[ "x" ], "y"]\n',
    'a = "x"\na += "y"\nb = ["1"]\nb += ["2", "3"]\n',
    'a = "x"\na = "y"',
    'a = "it\'s \\"so\\" \\\\ \\t"\n',
    "# only words\n",
    "",
    # What xl does not read.
    'a = "x" b = "y"\n',
    "a = x\n",
    "A = 1\n",
    "import os\n",
    "a = 1 + 1\n",
    "a = ['x'\n",
    "a = ['x' 'y']\n",
    'a = "x\ny"\n',
    "a = [,]\n",
    'a = "x"\na += ["y"]\n',
    "a = 1\n# no end of the line",
    'a = "\\q"\n',
    'a = "\\x41"\n',
    "a\n",
    "= 1\n",
    "a = \n",
    "a = def f(): pass\n",
]
SPECS = [
    "/dev/vg/guest-volume,,hda",
    "/dev/vg/guest-volume,raw,hda,rw",
    "format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume",
    "raw:/dev/vg/guest-volume,hda,w",
    "/root/image.iso,,hdc,cdrom",
    "/root/image.iso,,hdc,,cdrom",
    "/root/image.iso,raw,hdc,devtype=cdrom",
    "format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/root/image.iso",
    "raw:/root/image.iso,hdc:cdrom,ro",
    ",hdc:cdrom,r",
    ",,hdc,,cdrom",
    "file:/srv/disk.img,xvda1,w",
    "phy:/dev/vg/lv,xvda,w",
    "tap2:/srv/a.img,xvda,w",
    "vdev=xvda,format=qcow2,target=/srv/a,b=c.qcow2",
    "/srv/a.vhd,vhd,xvdb,r,discard,direct-io-safe",
    "drbd:/res,xvda,w",
    "iscsi:/x,xvda,w",
    "script=block-x,vdev=xvda,target=what it takes",
    "  /srv/a.img ,raw ,xvda ",
    # What xl does not read.
    "/srv/a.img,vmdk,xvda",
    "/srv/a.img,raw",
    "vdev=xvda",
    "/srv/a.img,raw,xvda,x",
    "/srv/a.img,raw,xvda,w,more",
    "/srv/a=b.img,raw,xvda,w",
    "foo:/srv/a.img,xvda,w",
    "/a,raw,xvda,w,target=/b",
    "/a,raw,xvda,format=qcow2",
    "/a,raw,xvda:tape,w",
    "colour=x,/a,raw,xvda",
    "",
]


def ours(text: bytes) -> dict[str, Any] | None:
    try:
        found = parse(text.decode("utf-8", "surrogateescape"), "test")
    except UsageError:
        return None
    return {key: _shown(value) for key, value in found.items()}


def _shown(value: Value) -> Any:
    return [None if isinstance(one, list) else one for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", CONFIGS)
def test_values_are_those_that_xl_reads(text: str) -> None:
    theirs = xlutil.values(text.encode(), "a", "b", "name", "memory", "vif")
    assert ours(text.encode()) == theirs


def disk_of(spec: str) -> xlutil.Disk | None:
    """Our reading of a disk in the fields of theirs."""
    try:
        disk = parse_disk(spec)
    except UsageError:
        return None
    return xlutil.Disk(disk.target, disk.format, disk.device, disk.cdrom, disk.script)


@pytest.mark.parametrize("spec", SPECS)
def test_disks_are_those_that_xl_takes(spec: str) -> None:
    assert disk_of(spec) == xlutil.disk(spec)


WORDS = ["a", "b", "=", "+=", "[", "]", ",", ";", "\n", "# x\n", " ", "'x'", '"y"', "1", "0x1f", "'\\n'", "X", "-", "'"]


@settings(max_examples=rounds(400, otherwise=80), deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_words_are_read_or_refused_as_by_xl(words: list[str]) -> None:
    text = "".join(words).encode()
    assert ours(text) == xlutil.values(text, "a", "b", "ab", "ba", "aa", "bb") or not _comparable(text)


def _comparable(text: bytes) -> bool:
    """Whether the names are ones that were asked for."""
    return set((ours(text) or {}).keys()) <= {"a", "b", "ab", "ba", "aa", "bb"}


PARTS = [
    "/a", "raw", "qcow2", "xvda", "w", "r", "cdrom", "vdev=xvdb", "format=vhd", "target=/b,c", "", " ", "hdc:cdrom",
    "access=ro", "discard", "devtype=disk", "phy:/d", "x=y",
]  # fmt: skip


@settings(max_examples=rounds(400, otherwise=80), deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=7).map(",".join))
def test_any_disk_is_taken_or_refused_as_by_xl(spec: str) -> None:
    assert disk_of(spec) == xlutil.disk(spec)


@settings(max_examples=rounds(200, otherwise=40), deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_values_or_one_line(raw: bytes) -> None:
    try:
        parse(raw.decode("utf-8", "surrogateescape"), "guest.cfg")
    except UsageError as error:
        assert str(error).startswith("guest.cfg: line ")


# --- domains


def config(folder: Path, *lines: str, kernel: str = "/usr/lib/xen/boot/pv-grub-x86_64.gz") -> Path:
    path = folder / "guest.cfg"
    path.write_text("\n".join([f'name = "guest"\nkernel = "{kernel}"', *lines]) + "\n", encoding="utf-8")
    return path


def test_a_domain_is_booted_from_its_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.img"
    data.write_bytes(bytes(1 << 20))
    boot = unpack_sparse(DISKS / "layout-logical6.img.zst", tmp_path / "boot.img")
    # The order of the vbd numbers counts, not that of the list.
    disks = f"disk = ['{data},raw,xvdb,w', 'file:{boot},xvda,w']"
    path = config(tmp_path, disks, "memory = 128", 'extra = "(hd0,5)/boot/grub/menu.lst"', "vif = ['']")
    assert main(["boot", "--xl-config", str(path), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["profile"]["name"].startswith("xen-") and told["profile"]["arch"] == "x86_64"
    assert told["config"] == "(hd0,5)/boot/grub/menu.lst"
    assert main(["boot", "--xl-config", str(path), "--console", "--pvgrub", "xen-4.17"]) == 0
    assert capsys.readouterr().out.startswith("vbd 51712 is hd0\nvbd 51728 is hd1\n")


def test_root_comes_before_the_argument(tmp_path: Path) -> None:
    """As xl puts the command line together, so that PV-GRUB takes it for its config file."""
    path = config(tmp_path, "disk = ['/a,,xvda']", 'root = "/dev/xvda1"', 'extra = "(hd0)/menu"')
    assert read_xl_config(path).argument == "root=/dev/xvda1"
    path = config(tmp_path, "disk = ['/a,,xvda']", 'cmdline = "--vtpm-label=x  (hd0)/menu more"', 'extra = "x"')
    assert read_xl_config(path).argument == "(hd0)/menu"
    assert read_xl_config(config(tmp_path, "disk = ['/a,,xvda']")).argument is None


def test_memory_and_build(tmp_path: Path) -> None:
    disk = "disk = ['/a,,xvda']"
    assert read_xl_config(config(tmp_path, disk)).memory == 32
    assert read_xl_config(config(tmp_path, disk, "maxmem = 0x100")).memory == 256
    assert read_xl_config(config(tmp_path, disk, "memory = '0400'", "maxmem = 512")).memory == 256
    assert read_xl_config(config(tmp_path, disk, kernel="/x/pv-grub-x86_32.gz")).arch == "i386"
    assert read_xl_config(config(tmp_path, disk, kernel="/x/pvgrub.gz")).arch == "auto"


@pytest.mark.parametrize(
    ("line", "kernel", "said"),
    [
        ('bootloader = "pygrub"', "", "reads the disk in dom0"),
        ('type = "pvh"', "x", "the domain is PVH"),
        ('builder = "hvm"', "x", "the domain is HVM"),
        ("", "/usr/lib/grub-xen/grub-x86_64-xen.bin", "is GRUB 2 for Xen"),
        ('firmware = "pvgrub64"', "", "is GRUB 2 for Xen"),
        ("", "/boot/vmlinuz", "is no PV-GRUB by its name"),
        ("", "", "neither kernel= nor bootloader="),
        ('ramdisk = "/x"', "pv-grub.gz", "a menu of its own"),
        ("memory = 'much'", "pv-grub.gz", "memory= wants a number"),
        ("memory = []", "pv-grub.gz", "memory= wants a single value"),
        ("disk = 'x'", "pv-grub.gz", "disk= wants a list"),
        ("disk = [[]]", "pv-grub.gz", "disk= wants a list of texts"),
        ("disk = []", "pv-grub.gz", "no disk"),
        ("disk = ['/a,,nonsense']", "pv-grub.gz", "not a block device name"),
        ("disk = ['/a,,/dev/xvda']", "pv-grub.gz", "is no device of a guest"),
    ],
)
def test_what_does_not_boot_through_pvgrub_is_one_line(line: str, kernel: str, said: str, tmp_path: Path) -> None:
    lines = [line] if line.startswith("disk") else ["disk = ['/a,,xvda']", line]
    with pytest.raises(UsageError, match=r"guest\.cfg: .*") as caught:
        read_xl_config(config(tmp_path, *lines, kernel=kernel))
    assert said in str(caught.value)
    with pytest.raises((UsageError, ImageError)):
        read_xl_config(tmp_path / "absent.cfg")


def test_a_version_that_is_named_takes_any_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "disk.img")
    path = config(tmp_path, f"disk = ['{image},,xvda1']", 'extra = "(hd0)/boot/grub/menu.lst"', kernel="/srv/boot.gz")
    assert main(["boot", "--xl-config", str(path)]) == 2
    assert main(["boot", "--xl-config", str(path), "--pvgrub", "xen-4.4"]) == 0
    capsys.readouterr()


def test_a_format_that_xl_is_told_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "disk.img")
    image = tmp_path / "disk.qcow2"
    tool("qemu-img", "convert", "-O", "qcow2", raw, image)
    extra = 'extra = "(hd0)/boot/grub/menu.lst"'
    assert main(["boot", "--xl-config", str(config(tmp_path, f"disk = ['{image},qcow2,xvda']", extra))]) == 0
    both = f"disk = ['{image},qcow2,xvda', '{raw},raw,xvdb']"
    assert main(["boot", "--xl-config", str(config(tmp_path, both, extra))]) == 0
    # qcow2's own bytes are no filesystem.
    for disks in (f"'{image},raw,xvda'", f"'file:{image},xvda,w', '{raw},raw,xvdb'"):
        capsys.readouterr()
        assert main(["boot", "--xl-config", str(config(tmp_path, f"disk = [{disks}]", extra))]) == 1
        told = " ".join(capsys.readouterr().out.split())
        assert f"{image} begins as a qcow2 image does, and its bytes are taken as raw ones" in told


def test_disks_may_lie_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "disk.img")
    path = config(tmp_path, "disk = ['drbd:guest,xvda,w']", 'extra = "(hd0)/boot/grub/menu.lst"')
    assert main(["boot", "--xl-config", str(path)]) == 2
    assert "--disk xvda=IMAGE" in capsys.readouterr().err
    assert main(["boot", "--xl-config", str(path), "--disk", f"/dev/xvda={image}"]) == 0
    assert main(["boot", "--isolate", "--xl-config", str(path), "--disk", f"xvda={image}"]) == 0


@pytest.mark.parametrize("words", [["x.img"], ["--device", "/dev/sda1"], ["--ari", "ari-1"]])
def test_what_the_configuration_says_is_not_said_twice(words: list[str], tmp_path: Path) -> None:
    path = config(tmp_path, "disk = ['/a,,xvda']")
    assert main(["boot", "--xl-config", str(path), *words]) == 2
