"""The one way to ask the survey for files: those of one filesystem, as a modern system reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pvgrub_sim.errors import ImageFileError, UsageError
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.model import DirectoryEntry
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.surveyor import volume_reader
from pvgrub_sim.survey.tree import Node, NodeType, Reader, Way, content, find, head, names_of, runs_of, target
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.survey.ext import ExtReader

_NAME: Final = rb"(?s)(\(hd(\d{1,2})((?:,\d{1,3})?(?:,[a-h])?\)))(/.*)"


class Gap(NamedTuple):
    """A stretch of a file that reads as zeros without being stored: byte offset, length in bytes.

    unwritten: blocks are set aside for it, so that there is something else on the disk.
    """

    offset: int
    length: int
    unwritten: bool


class Walked(NamedTuple):
    """Where a path leads to: the node, None when it leads nowhere or cannot be followed.

    links: the symbolic links that it passes, in order. real: the path without any, as it was given when the way cannot
    be followed to its end. whole: it can, and where there is no node nothing is there.
    """

    node: Node | None
    links: tuple[str, ...]
    real: str
    whole: bool = True


class Files:
    """The files of one filesystem. reader: the survey's reader of it, None where it has none.

    What begins with `read_` raises Damaged where the filesystem is not sound; everything else finds nothing there.
    """

    reader: Reader | None

    def __init__(self, reader: Reader | None) -> None:
        self.reader = reader

    def read_node(self, path: bytes) -> Node | None:
        """What a path leads to, None when it leads nowhere; raises Damaged."""
        return None if self.reader is None else find(self.reader, path)

    def read_pieces(self, node: Node) -> Iterator[bytes]:
        """The content of a file, in pieces of at most 1 MiB; raises Damaged."""
        assert self.reader is not None
        return content(self.reader, node)

    def read_entries(self, folder: Node, details: bool = True) -> list[DirectoryEntry]:
        """What is in a directory, sorted by name; raises Damaged. details: False gives the names only."""
        assert self.reader is not None
        names = sorted(names_of(self.reader, folder))
        return [self.entry(name, number) if details else DirectoryEntry(_text(name)) for name, number in names]

    def entry(self, raw: bytes, number: int) -> DirectoryEntry:
        """What a name in a directory stands for; damage is its `error`. number: as Reader.names() gives it."""
        assert self.reader is not None
        name = _text(raw)
        try:
            node = self.reader.node(number)
            match node.type:
                case NodeType.DIRECTORY:
                    return DirectoryEntry(name, "directory")
                case NodeType.LINK:
                    return DirectoryEntry(name, "link", node.size, _text(target(self.reader, node)))
                case NodeType.FILE:
                    return DirectoryEntry(name, "file", node.size)
            return DirectoryEntry(name, "other", node.size)
        except Damaged as error:
            return DirectoryEntry(name, error=str(error))

    def node(self, path: str) -> Node | None:
        """What a path leads to, None when it leads nowhere or cannot be followed."""
        return self._walked(path).node

    def links(self, path: str) -> tuple[tuple[str, ...], str]:
        """The symbolic links that a path passes, in order, and the path without any."""
        walked = self._walked(path)
        return walked.links, walked.real

    def _walked(self, path: str) -> Walked:
        if self.reader is None:
            return Walked(None, (), path, whole=False)
        try:
            way = Way(self.reader)
        except Damaged:
            return Walked(None, (), path, whole=False)
        whole = True
        try:
            way.go(path.encode("utf-8", "surrogateescape"))
        except Damaged:
            # What it has come to is a folder on the way, which is not what anybody asked for.
            whole = False
        links = tuple(f"{_text(link)} -> {_text(where)}" for link, where in way.links)
        if not whole:
            return Walked(None, links, path, whole=False)
        return Walked(way.node, links, _text(b"/" + b"/".join(way.names)))

    def knows(self, path: str) -> bool:
        """True when a path can be followed to its end: what node() does not find there is not there."""
        return self._walked(path).whole

    def is_free(self, path: str) -> bool:
        """True when it is known that nothing is at a path; False also where nobody can say."""
        walked = self._walked(path)
        return walked.whole and walked.node is None

    def is_file(self, path: str) -> bool:
        """True when the path leads to a regular file."""
        node = self.node(path)
        return node is not None and node.type is NodeType.FILE

    def head(self, path: str, length: int) -> bytes | None:
        """The first bytes of a file, None when it cannot be read."""
        node = self.node(path)
        if node is None or self.reader is None or node.type is not NodeType.FILE:
            return None
        try:
            return head(self.reader, node, length)
        except Damaged:
            return None

    def pieces(self, path: str) -> Iterator[bytes]:
        """The content of a file, in pieces; raises Damaged."""
        node = self.node(path)
        if node is not None and self.reader is not None:
            yield from content(self.reader, node)

    def names(self, folder: str) -> list[str]:
        """The names in a folder, [] when it cannot be read."""
        try:
            return self.read_names(folder)
        except Damaged:
            return []

    def read_names(self, folder: str) -> list[str]:
        """The names in a folder; raises Damaged, also where there is no folder."""
        node = self.node(folder)
        if node is None or self.reader is None:
            raise Damaged("no such folder")
        return [_text(name) for name, _ in names_of(self.reader, node)]

    def gaps(self, path: str) -> list[Gap]:
        """The holes and unwritten stretches of a file."""
        node = self.node(path)
        if node is None or self.reader is None or node.type is not NodeType.FILE:
            return []
        try:
            if self.reader.inline(node) is not None:
                return []
            return [
                Gap(run.offset, run.length, run.unwritten)
                for run in runs_of(self.reader, node)
                if run.place is None or run.unwritten
            ]
        except Damaged:
            return []

    def uses_extents(self, path: str) -> bool:
        """True for a file of an ext filesystem that is mapped by extents."""
        node = self.node(path)
        reader = self._ext_reader(node)
        return reader is not None and node is not None and reader.uses_extents(node)

    def _ext_reader(self, node: Node | None) -> ExtReader | None:
        """The reader of an ext filesystem that a node comes from, None for what is planned or of another one."""
        from pvgrub_sim.survey.ext import ExtReader

        reader = getattr(self.reader, "base", self.reader)
        return reader if isinstance(reader, ExtReader) and node is not None and node.record else None

    def attributes(self, path: str) -> tuple[str, ...]:
        """The names of a file's extended attributes, where the survey reads them: on ext filesystems."""
        node = self.node(path)
        reader = self._ext_reader(node)
        return reader.attributes(node) if reader is not None and node is not None else ()


def _found(disks: Sequence[Disk], path: bytes) -> tuple[Files, Node, bytes]:
    """The filesystem that a name is on, the file or directory, and its path there; raises Damaged."""
    match = re.fullmatch(_NAME, path)
    if match is None or int(match[2]) >= len(disks):
        shown, which = _text(path), "this disk" if len(disks) == 1 else f"these {len(disks)} disks"
        raise UsageError(f"{shown!r} is no name of a file on {which}; write '(hd0)/boot/' or '(hd0,0)/boot/'")
    volume, disk = match[1].decode(), disks[int(match[2])]
    # A disk by itself has the names of hd0.
    files = Files(volume_reader(disk, f"(hd0{match[3].decode()}"))
    if files.reader is None:
        raise ImageFileError(disk.name, _text(path), f"no filesystem that the survey reads is on {volume}")
    node = files.read_node(match[4])
    if node is None:
        raise ImageFileError(disk.name, _text(path), "no such file or directory")
    return files, node, match[4]


def pieces_at(disks: Sequence[Disk], path: bytes) -> Iterator[bytes]:
    """A file of a disk, in pieces of at most 1 MiB.

    disks: hd0 first. path: with its device, `(hd0,0)/boot/vmlinuz`. Raises ImageFileError, and UsageError for a path
    without a device.
    """
    disk = disks[0]
    try:
        files, node, _ = _found(disks, path)
        if node.type is not NodeType.FILE:
            raise ImageFileError(disk.name, _text(path), "not a regular file")
        yield from files.read_pieces(node)
    except Damaged as error:
        raise ImageFileError(disk.name, _text(path), str(error)) from None


def entries_at(disks: Sequence[Disk], path: bytes, details: bool = True) -> list[DirectoryEntry]:
    """A directory of a disk, sorted by name, or a file by itself; disks, path and errors as for pieces_at().

    details: False gives the names only.
    """
    disk = disks[0]
    try:
        files, node, inside = _found(disks, path)
        if node.type is NodeType.DIRECTORY:
            return files.read_entries(node, details)
    except Damaged as error:
        raise ImageFileError(disk.name, _text(path), str(error)) from None
    base = inside.rstrip(b"/").rpartition(b"/")[2]
    return [files.entry(base, node.number) if details else DirectoryEntry(_text(base))]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
