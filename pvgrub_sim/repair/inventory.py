"""What is on an image, so that it can be said afterwards that nothing was lost: partitions, filesystems, files."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from pvgrub_sim.media import Disk
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.result import Volume
from pvgrub_sim.survey.surveyor import open_reader, survey
from pvgrub_sim.survey.tree import Node, NodeType, Reader, child, content, find, names_of, target
from pvgrub_sim.typed import Final
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


def losses(before: Mapping[int, Held], after: Mapping[int, Held], was: Disk, now: Disk) -> list[str]:
    """What was there before and is no more, in words; what has another name in its volume now is not lost.

    was, now: the disks of the two inventories. A name that has gone is looked for by kind, size and content.
    """
    lost = []
    for at, old in before.items():
        new = after.get(at)
        where = f"the volume at byte {at & ~1}"
        if new is None or new.size != old.size:
            lost.append(f"{where} has gone or another size")
            continue
        if old.filesystem and new.filesystem != old.filesystem:
            lost.append(f"{where} held {old.filesystem.strip()}, and holds {new.filesystem.strip() or 'nothing'} now")
            continue
        gone = [path for path in old.files if path not in new.files]
        if gone:
            left, right = _Contents(was, at, old), _Contents(now, at, new)
            lost += [
                f"{path.decode('utf-8', 'backslashreplace')} on {where}" for path in gone if left.lost(path, right)
            ]
    return lost


class _Contents:
    """What the files of one volume hold, as digests; made when a file's is asked for."""

    def __init__(self, disk: Disk, at: int, held: Held) -> None:
        self._reader = open_reader(disk, Volume(None, "", at & ~1, held.size))
        self._held = held
        self._known: dict[bytes, bytes | None] = {}

    def lost(self, path: bytes, others: _Contents) -> bool:
        """True when no file of the other volume is what that path was."""
        what = self._held.files[path]
        if what[0] == NodeType.DIRECTORY.value:
            # What was in it is looked for by itself, and nothing here removes a folder.
            return True
        mine = self.digest(path)
        same = (other for other, kind in others._held.files.items() if kind == what)
        # Of what cannot be read, kind and size have to do.
        return not any(mine is None or others.digest(other) == mine for other in same)

    def digest(self, path: bytes) -> bytes | None:
        """The digest of a file or of a link's target, None for what cannot be read."""
        if path not in self._known:
            self._known[path] = self._digest(path)
        return self._known[path]

    def _digest(self, path: bytes) -> bytes | None:
        if self._reader is None:
            return None
        try:
            folder = find(self._reader, path.rpartition(b"/")[0] or b"/")
            node = child(self._reader, folder, path.rpartition(b"/")[2]) if folder else None
            if node is None or node.type not in (NodeType.FILE, NodeType.LINK):
                return None
            if node.type is NodeType.LINK:
                return target(self._reader, node)
            digest = sha256()
            for piece in content(self._reader, node):
                digest.update(piece)
            return digest.digest()
        except Damaged:
            return None


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
