"""JFS, ReiserFS and minix images with awkward contents, written by a real kernel."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel_writer import DISKS, kernel_modules, run_in_kernel
from tests.tools import require, run

KERNEL_SIZE = 704_371
MANY = 600
"""Files in the big folder."""
LATE = 130
"""Folders made one by one, each in a transaction of its own."""
LINK_LENGTHS = (1, 59, 60, 126, 127, 128, 200, 255, 256, 257, 900)
NAME_LENGTHS = (1, 10, 11, 12, 13, 14, 25, 26, 27, 28, 30, 41, 42, 120, 255)

OS2_NAMES = [chr(ord("a") + index) * length for index, length in enumerate(NAME_LENGTHS)]

# name: (runs of (position, size) in bytes that are written, the file's size)
HOLES: dict[str, tuple[tuple[tuple[int, int], ...], int]] = {
    "middle": (((0, 8192), (65536, 5000)), 70536),
    "leading": (((40960, 8192),), 49152),
    "trailing": (((0, 4096),), 100_000),
    "all": ((), 50_000),
    "odd": (((0, 4096), (12288, 4096), (20480, 1), (999_424, 4096)), 1_003_520),
}


def contents(name: str, size: int) -> bytes:
    """Bytes that look like nothing in particular, the same for the same name."""
    return random.Random(name).randbytes(size)


def hole_contents(name: str) -> bytes:
    """What a file of HOLES holds."""
    runs, size = HOLES[name]
    data = bytearray(size)
    for at, length in runs:
        data[at : at + length] = contents(name, 8192)[:length]
    return bytes(data)


def link_target(name: str, length: int) -> str:
    """A path of exactly that many bytes that leads from /links to a file in /boot."""
    if length < len(name):
        return "." * length
    slashes = length - len(name) - len("../boot/")
    return "../boot" + "/" * (slashes + 1) + name if slashes >= 0 else name[:length]


def make_tree(folder: Path, names: Sequence[int], many: int, chars: int) -> Path:
    """A tree of files on the host, to be copied: sizes around every limit, names of these lengths, a big folder.

    many: files in /many. chars: the longest name that the filesystem has.
    """
    tree = folder / "tree"
    boot = tree / "boot"
    (boot / "grub").mkdir(parents=True)
    (boot / "grub" / "menu.lst").write_bytes(b"default 0\ntimeout 0\ntitle one\nroot (hd0)\nkernel /boot/vmlinuz\n")
    sizes = {"vmlinuz": KERNEL_SIZE, "initrd": 150_006, "empty": 0, "one": 1}
    sizes |= {f"s{size}": size for size in (511, 512, 513, 1024, 4000, 4095, 4096, 4097, 7168, 7169, 16384, 531_457)}
    for name, size in sizes.items():
        (boot / name).write_bytes(contents(name, size))
    (tree / "names").mkdir()
    for length in names:
        (tree / "names" / ("n" * (length - 1) + "x")).write_bytes(contents(f"name{length}", 100 + length))
    (tree / "few").mkdir()
    for index in range(8):
        (tree / "few" / f"f{index}").write_bytes(b"%d" % index)
    (tree / "many").mkdir()
    for index in range(many):
        (tree / "many" / f"m{index}-{'y' * (index % 23)}"[:chars].rstrip("-")).write_bytes(b"")
    deep = tree / "deep"
    for index in range(40):
        deep /= f"d{index}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(contents("bottom", 5000))
    links = tree / "links"
    links.mkdir()
    for length in LINK_LENGTHS:
        (links / f"l{length}").symlink_to(link_target("s4097", length))
    (links / "abs").symlink_to("/boot/s4097")
    (links / "dir").symlink_to("../boot")
    (links / "self").symlink_to("self")
    previous = "../boot/s513"
    for index in range(1, 10):
        (links / f"chain{index}").symlink_to(previous)
        previous = f"chain{index}"
    return tree


_HOLES_SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from tests.grub.written_images import HOLES, contents
for name, (runs, size) in HOLES.items():
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        data = contents(name, 8192)
        for at, length in runs:
            file.seek(at)
            file.write(data[:length])
        file.truncate(size)
"""
_COMB_SCRIPT = """
import os, sys
with open(sys.argv[1], "wb") as file:
    for index in range(int(sys.argv[2])):
        file.seek(index * 8192)
        file.write(bytes([index % 255 + 1]) * 4096)
        file.flush()
"""


def comb_contents(blocks: int) -> bytes:
    """A file of which every second block of 4096 bytes is a hole."""
    return b"".join(bytes([index % 255 + 1]) * 4096 + bytes(4096) for index in range(blocks))[:-4096]


def _scripts(folder: Path) -> tuple[str, str]:
    root = str(Path(__file__).parents[2])
    (folder / "holes.py").write_text(_HOLES_SCRIPT.format(root=root))
    (folder / "comb.py").write_text(_COMB_SCRIPT)
    return f"{sys.executable} {folder}/holes.py", f"{sys.executable} {folder}/comb.py"


def _image(folder: Path, name: str, mebibytes: int) -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.truncate(mebibytes << 20)
    return path


def jfs_images(folder: Path) -> dict[str, Path]:
    """`plain`: the tree, holes, and a file of 600 extents; `os2`: made without directory indices."""
    tree = make_tree(folder, NAME_LENGTHS, MANY, 255)
    holes, comb = _scripts(folder)
    images = {"plain": _image(folder, "plain.img", 64), "os2": _image(folder, "os2.img", 32)}
    run("mkfs.jfs", "-q", images["plain"])
    run("mkfs.jfs", "-q", "-O", images["os2"])
    fill = f"""
mkdir a b
mount -t jfs /dev/ubda a
cp -a {tree}/. a/
mkdir a/holes
{holes} a/holes
{comb} a/comb 600
touch "a/names/$(printf 'caf\\303\\251')"
(cd a; find . -type f -exec sha256sum {{}} +) > sums
mount -t jfs /dev/ubdb b
mkdir b/names
cd b/names
touch {" ".join(OS2_NAMES)}
cd ../..
umount a b
"""
    run_in_kernel(fill, list(images.values()), folder)
    return images


def reiserfs_images(folder: Path) -> dict[str, Path]:
    """`plain`, `notail`, `small` (blocks of 1024 bytes), all of 3.6: Linux since 5.17 cannot mount a new 3.5.

    `dirty`: a copy taken while it was mounted for the second time, after the journal had been filled more than
    once, its newest files in the journal alone; `first`: the same from a first mount that did not fill the journal;
    `odd`: as dirty, with a journal whose size is no power of two.
    """
    tree = make_tree(folder, NAME_LENGTHS, MANY, 255)
    holes, comb = _scripts(folder)
    options = {
        "plain": ("-s", "1024"),
        "notail": ("-s", "1024"),
        "small": ("-b", "1024", "-s", "1024"),
        # Its header counts as well.
        "dirty": ("-s", "513"),
        "first": ("-s", "513"),
        "odd": ("-s", "514"),
    }
    images = {name: _image(folder, f"{name}.img", 48) for name in options}
    for name, arguments in options.items():
        run("mkfs.reiserfs", "-q", "-f", "-f", *arguments, images[name])
    device = {name: f"/dev/ubd{letter}" for name, letter in zip(images, DISKS, strict=False)}
    whole = " ".join(device[name] for name in ("plain", "small"))

    fill = f"""
mkdir a
for device in {whole}; do
    mount -t reiserfs $device a
    cp -a {tree}/. a/
    mkdir a/holes
    {holes} a/holes
    {comb} a/comb 600
    umount a
done
mount -t reiserfs -o notail {device["notail"]} a
cp -a {tree}/boot a/
umount a
for device in {device["dirty"]} {device["odd"]}; do
    mount -t reiserfs $device a
    cp -a {tree}/boot a/
    umount a
done
mkdir h
mount -t hostfs none h -o {folder}
for name in dirty first odd; do
    case $name in
        dirty) device={device["dirty"]} rounds={LATE} ;;
        first) device={device["first"]} rounds=20 ;;
        odd) device={device["odd"]} rounds={LATE} ;;
    esac
    mount -t reiserfs $device a
    mkdir a/late
    for round in $(seq $rounds); do
        mkdir a/late/d$round
        echo $round > a/late/d$round/file
        sync a/late/d$round/file
    done
    # Not through the device, which would show what is still to be written.
    cp --sparse=always h/$name.img h/$name.copy
    umount a
done
"""
    run_in_kernel(fill, list(images.values()), folder)
    for name in ("dirty", "first", "odd"):
        (folder / f"{name}.copy").replace(images[name])
    return images


def minix_images(folder: Path) -> dict[str, Path]:
    """`long` and `short`: version 1 with names of 30 and of 14 characters."""
    tree = make_tree(folder, (1, 13, 14, 29, 30), 300, 30)
    holes, comb = _scripts(folder)
    images = {"long": _image(folder, "long.img", 32), "short": _image(folder, "short.img", 16)}
    run("mkfs.minix", "-1", "-n", "30", images["long"])
    run("mkfs.minix", "-1", "-n", "14", images["short"])
    fill = f"""
insmod {kernel_modules()}/fs/minix/minix.ko
mkdir a
mount -t minix /dev/ubda a
cp -a {tree}/. a/
mkdir a/holes
{holes} a/holes
{comb} a/comb 300
umount a
mount -t minix /dev/ubdb a
cp -a {tree}/boot {tree}/links a/
umount a
"""
    run_in_kernel(fill, list(images.values()), folder)
    return images


BUILDERS = {"jfs": jfs_images, "reiserfs": reiserfs_images, "minix": minix_images}
_written: dict[str, dict[str, Path]] = {}


def written(kind: str, factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The images of one filesystem by name, written once in a run of the tests; read-only by convention."""
    if kind not in _written:
        # Before the trees are made, which takes its time.
        for tool in (f"mkfs.{kind}", "linux.uml"):
            require(tool)
        _written[kind] = BUILDERS[kind](factory.mktemp(kind))
    return _written[kind]


def tree_of(images: dict[str, Path]) -> Path:
    """The tree of files on the host that was copied into these images."""
    return next(iter(images.values())).parent / "tree"
