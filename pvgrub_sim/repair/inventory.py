"""What is on an image, so that it can be said afterwards that nothing was lost: partitions, filesystems, files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.surveyor import open_reader, survey
from pvgrub_sim.survey.tree import Node, NodeType, Reader, names_of
from pvgrub_sim.values import NamedTuple

MOST_FILES: Final = 200_000
"""Names of one filesystem that are looked at; of more the rest goes unnoticed."""


class Held(NamedTuple):
    """A volume: its partition table's kind and type, size in bytes, what is on it, and its files by path and size."""

    table: str
    size: int
    filesystem: str
    files: dict[bytes, tuple[str, int]]


def inventory(image: Path) -> dict[int, Held]:
    """The volumes of a raw image by their byte offset; raises ImageError when it cannot be read."""
    disk = RawDisk(str(image))
    try:
        found = {}
        for volume in survey(disk).volumes:
            content = volume.filesystem
            # A journal or a feature more or less makes no other filesystem.
            kind = f"{content.type.rstrip('234')} {content.uuid}" if content else ""
            reader = open_reader(disk, volume) if content and content.readable else None
            key = volume.offset if volume.number is None else volume.offset + 1
            found[key] = Held(volume.table, volume.size, kind, _files(reader) if reader else {})
        return found
    finally:
        disk.close()


def is_truncated(image: Path) -> bool:
    """True when a filesystem lies partly beyond the end of its image: nothing may be written to such a one."""
    disk = RawDisk(str(image))
    try:
        return any(
            volume.filesystem is not None and volume.offset + (volume.filesystem.size or 0) > disk.size
            for volume in survey(disk).volumes
        )
    finally:
        disk.close()


def losses(before: dict[int, Held], after: dict[int, Held]) -> list[str]:
    """What was there before and is no more, in words; files that have another name beside them now are not lost."""
    lost = []
    for at, was in before.items():
        now = after.get(at)
        where = f"the volume at byte {at & ~1}"
        if now is None or now.size != was.size:
            lost.append(f"{where} has gone or another size")
            continue
        if was.filesystem and now.filesystem != was.filesystem:
            lost.append(f"{where} held {was.filesystem.strip()}, and holds {now.filesystem.strip() or 'nothing'} now")
            continue
        sizes = set(now.files.values())
        for path, what in was.files.items():
            # A file that was replaced is there under another name, of the same kind and size.
            if path not in now.files and what not in sizes:
                lost.append(f"{path.decode('utf-8', 'backslashreplace')} on {where}")
    return lost


def _files(reader: Reader) -> dict[bytes, tuple[str, int]]:
    """Every name below the root with its kind and size; what cannot be read is left out."""
    found: dict[bytes, tuple[str, int]] = {}
    todo: list[tuple[bytes, Node]] = []
    seen: set[int] = set()
    try:
        todo.append((b"", reader.root()))
    except Damaged:
        return found
    while todo and len(found) < MOST_FILES:
        path, folder = todo.pop()
        if folder.number in seen:
            continue
        seen.add(folder.number)
        try:
            entries = list(names_of(reader, folder))
        except Damaged:
            continue
        for name, number in entries:
            try:
                node = reader.node(number)
            except Damaged:
                continue
            found[path + b"/" + name] = node.type.value, 0 if node.type is NodeType.DIRECTORY else node.size
            if node.type is NodeType.DIRECTORY:
                todo.append((path + b"/" + name, node))
    return found
