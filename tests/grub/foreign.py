"""What the filesystems' own tools say about an image: listings, and where on the disk things are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.tools import run


def jfs_directory(image: Path, number: int = 2) -> dict[bytes, int]:
    """Names in a directory of a JFS with their inode numbers, as jfs_debugfs prints them."""
    output = run("jfs_debugfs", image, stdin=b"directory %d\nq\n" % number)
    return {name: int(inode) for inode, name in re.findall(rb"^(\d+)\t(.*)$", output, re.MULTILINE)}


def jfs_tree(image: Path) -> dict[bytes, int]:
    """All paths of a JFS with their inode numbers; directories end in a slash."""
    found: dict[bytes, int] = {}
    todo = [(b"/", 2)]
    while todo:
        path, number = todo.pop()
        found[path] = number
        for name, inode in jfs_directory(image, number).items():
            if b"di_mode" in (shown := _jfs_inode(image, inode)) and re.search(rb"\t004\d{4}\s", shown):
                todo.append((path + name + b"/", inode))
            else:
                found[path + name] = inode
    return found


def _jfs_inode(image: Path, number: int) -> bytes:
    return run("jfs_debugfs", image, stdin=b"inode %d\nx\nq\n" % number)


def jfs_inode_offset(image: Path, number: int) -> int:
    """Where an inode is on the disk, in bytes."""
    match = re.search(rb"at block (\d+), offset 0x([0-9a-f]+):", _jfs_inode(image, number))
    assert match
    return int(match[1]) * 4096 + int(match[2], 16)


def jfs_offset_of(image: Path, path: bytes) -> int:
    """Where the inode of a path is on the disk, in bytes."""
    number = 2
    for name in path.strip(b"/").split(b"/"):
        number = jfs_directory(image, number)[name]
    return jfs_inode_offset(image, number)


@dataclass(frozen=True)
class ReiserItem:
    """An item as debugreiserfs prints it: its key, where its head and its body are on the disk, in bytes."""

    dir_id: int
    objectid: int
    kind: str
    length: int
    head: int
    body: int
    new: bool
    entries: tuple[tuple[bytes, int, int], ...]
    """In a directory: name, dir_id and objectid."""


_LEAF = re.compile(rb"LEAF NODE \((\d+)\)")
_ITEM = re.compile(rb"\|\s*(\d+)\|(\d+) (\d+) 0x[0-9a-f]+ (\w+) \(\d\), len (\d+), location (\d+) .*format (old|new)")
_ENTRY = re.compile(rb'^\s*\d+: "(.*)"\(\s*(\d+)\)\s*\[(\d+) (\d+)\]')


def reiser_items(image: Path, block_size: int = 4096) -> list[ReiserItem]:
    """All items of a ReiserFS in the order of the tree."""
    items: list[ReiserItem] = []
    block = 0
    for line in run("debugreiserfs", "-d", image).splitlines():
        if match := _LEAF.search(line):
            block = int(match[1]) * block_size
        elif line.endswith(b"DELETED"):
            # What lies behind the last item of a leaf.
            continue
        elif match := _ITEM.match(line):
            index, dir_id, objectid, kind, length, location, version = match.groups()
            items.append(
                ReiserItem(
                    int(dir_id),
                    int(objectid),
                    kind.decode(),
                    int(length),
                    block + 24 + 24 * int(index),
                    block + int(location),
                    version == b"new",
                    (),
                )
            )
        elif match := _ENTRY.match(line):
            name = match[1][: int(match[2])]
            last = items[-1]
            entry = (name, int(match[3]), int(match[4]))
            items[-1] = ReiserItem(**{**last.__dict__, "entries": (*last.entries, entry)})
    return items


def reiser_tree(items: list[ReiserItem]) -> dict[bytes, int]:
    """All paths with their object numbers; directories end in a slash. Linux's own .reiserfs_priv is left out."""
    folders: dict[int, list[tuple[bytes, int]]] = {}
    for item in items:
        if item.kind == "DIR":
            names = [(name, objectid) for name, _, objectid in item.entries if name not in (b".", b"..")]
            folders.setdefault(item.objectid, []).extend(names)
    found: dict[bytes, int] = {}
    todo = [(b"/", 2)]
    while todo:
        path, objectid = todo.pop()
        found[path] = objectid
        for name, child in folders[objectid]:
            if name == b".reiserfs_priv":
                continue
            if child in folders:
                todo.append((path + name + b"/", child))
            else:
                found[path + name] = child
    return found


def minix_tree(image: Path) -> set[bytes]:
    """All paths of a minix filesystem, as fsck.minix lists them; directories end in a slash."""
    lines = run("fsck.minix", "-fl", image).splitlines()
    paths = [line for line in lines if line.startswith(b"/")]
    return {b"/", *(path.replace(b":", b"/") if path.endswith(b":") else path for path in paths)}
