"""A tree of files with everything that a reader may trip over, and what a reader must say of it."""

from __future__ import annotations

import os
import random
from pathlib import Path

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import volume_reader
from pvgrub_sim.survey.tree import Node, NodeType, Reader, content, names_of, target

Tree = dict[bytes, object]


def make_tree(folder: Path, *, links: bool = True, many: int = 400, holes: bool = True) -> Path:
    """Files of all sizes, a large folder, deep folders, links and holes, under `folder`."""
    random.seed(20140924)
    grub = folder / "boot" / "grub"
    grub.mkdir(parents=True)
    (grub / "menu.lst").write_text("default 0\ntimeout 0\ntitle T\n root (hd0)\n kernel /boot/vmlinuz-6.1\n")
    (folder / "boot" / "vmlinuz-6.1").write_bytes(random.randbytes(1_300_000))
    (folder / "boot" / "initrd.img-6.1").write_bytes(random.randbytes(70_001))
    (folder / "boot" / "config-6.1").write_text("CONFIG_XEN=y\n# CONFIG_XEN_PVH is not set\nCONFIG_XEN_PV=y\n")
    (folder / "empty").touch()
    for size in (1, 59, 60, 61, 511, 512, 513, 1023, 1025, 4095, 4097, 12 * 1024 + 1, 270_000):
        (folder / f"size{size}").write_bytes(random.randbytes(size))
    large = folder / "large"
    large.mkdir()
    for index in range(many):
        (large / f"a file with a rather long name, number {index:05d}").write_bytes(b"x" * (index % 70))
    deep = folder
    for index in range(12):
        deep = deep / f"d{index}"
        deep.mkdir()
    (deep / "bottom").write_text("deep")
    if holes:
        with (folder / "holes").open("wb") as file:
            for place in (0, 40_000, 1_995_000):
                file.seek(place)
                file.write(random.randbytes(5000))
    if links:
        (folder / "boot" / "vmlinuz").symlink_to("vmlinuz-6.1")
        (folder / "short").symlink_to("boot/grub/menu.lst")
        (folder / "long").symlink_to("/" + "d0/" * 1 + "d1/../" * 30 + "d1")
        (folder / "broken").symlink_to("nowhere")
    return folder


def on_disk(folder: Path) -> Tree:
    """What lies under a folder: content of files, None for folders, `-> target` for links."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def as_read(image: Path, grub: str = "(hd0)") -> Tree:
    """The same, as the survey reads it from an image."""
    disk = open_disk(str(image))
    reader = volume_reader(disk, grub)
    assert reader is not None
    found: Tree = {}
    _walk(reader, reader.root(), b"", found)
    disk.close()
    found.pop(b"lost+found", None)
    return found


def _walk(reader: Reader, node: Node, prefix: bytes, found: Tree) -> None:
    for name, number in names_of(reader, node):
        entry = reader.node(number)
        path = prefix + name
        assert path not in found
        if entry.type is NodeType.DIRECTORY:
            found[path] = None
            _walk(reader, entry, path + b"/", found)
        elif entry.type is NodeType.LINK:
            found[path] = b"-> " + target(reader, entry)
        else:
            found[path] = b"".join(content(reader, entry))
            assert len(found[path]) == entry.size


def differences(left: Tree, right: Tree) -> list[bytes]:
    """The paths that two trees do not agree on."""
    return sorted(name for name in left.keys() | right.keys() if left.get(name, 0) != right.get(name, 0))
