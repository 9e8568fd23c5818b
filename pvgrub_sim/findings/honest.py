"""Files as they really are: a volume's files through the survey's readers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final, NamedTuple

from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.result import Content, ContentKind, Volume
from pvgrub_sim.survey.surveyor import open_reader
from pvgrub_sim.survey.tree import Node, NodeType, Reader, child, content, find, head, names_of, target

MOST_LINKS: Final = 40


class Gap(NamedTuple):
    """A stretch of a file that reads as zeros without being stored: byte offset, length in bytes.

    unwritten: blocks are set aside for it, so that there is something else on the disk.
    """

    offset: int
    length: int
    unwritten: bool


class Place:
    """A volume of an attached disk under the name by which PV-GRUB reaches it.

    device: `(hd0,1)`; seen: PV-GRUB itself reaches it under that name.
    """

    def __init__(self, attached: AttachedDisk, index: int, volume: Volume, device: str, seen: bool) -> None:
        self.attached = attached
        self.index = index
        self.volume = volume
        self.device = device
        self.seen = seen

    @property
    def whole(self) -> bool:
        """True for the disk itself."""
        return self.volume.number is None

    @property
    def filesystem(self) -> Content | None:
        """The filesystem, if there is one."""
        return self.volume.filesystem

    @property
    def type(self) -> str:
        """The filesystem's type as blkid names it, or ""."""
        return self.filesystem.type if self.filesystem else ""

    @property
    def where(self) -> str:
        """For a finding: `(hd0,0) at byte 1048576 of disk.img`."""
        at = "" if self.whole else f" at byte {self.volume.offset}"
        return f"{self.device}{at} of {self.attached.disk.name}"

    def has(self, kind: ContentKind) -> bool:
        """True when something of that kind was found there."""
        return self.volume.has(kind)

    @cached_property
    def reader(self) -> Reader | None:
        """The honest reader of its filesystem, None when there is none."""
        return open_reader(self.attached.disk, self.volume)

    def node(self, path: str) -> Node | None:
        """What a path leads to, None when it leads nowhere or cannot be followed."""
        if self.reader is None:
            return None
        try:
            return find(self.reader, path.encode("utf-8", "surrogateescape"))
        except Damaged:
            return None

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
        node = self.node(folder)
        if node is None or self.reader is None or node.type is not NodeType.DIRECTORY:
            return []
        try:
            return [name.decode("utf-8", "surrogateescape") for name, _ in names_of(self.reader, node)]
        except Damaged:
            return []

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
                for run in self.reader.runs(node)
                if run.place is None or run.unwritten
            ]
        except Damaged:
            return []

    def uses_extents(self, path: str) -> bool:
        """True for a file of an ext filesystem that is mapped by extents."""
        from pvgrub_sim.survey.ext import FLAG_EXTENTS, ExtReader

        node = self.node(path)
        return isinstance(self.reader, ExtReader) and node is not None and bool(self.reader.flags(node) & FLAG_EXTENTS)

    def links(self, path: str) -> tuple[list[str], str]:
        """The symbolic links that a path passes, in order, and the path without any."""
        passed: list[str] = []
        done: list[str] = []
        todo = path.split("/")[::-1]
        reader = self.reader
        try:
            while todo and reader is not None:
                name = todo.pop()
                if name in ("", "."):
                    continue
                if name == "..":
                    done = done[:-1]
                    continue
                parent = find(reader, ("/" + "/".join(done)).encode("utf-8", "surrogateescape"))
                node = parent and child(reader, parent, name.encode("utf-8", "surrogateescape"))
                if node and node.type is NodeType.LINK and len(passed) < MOST_LINKS:
                    to = target(reader, node).decode("utf-8", "surrogateescape")
                    passed.append(f"{'/'.join(['', *done, name])} -> {to}")
                    done = [] if to.startswith("/") else done
                    todo += to.split("/")[::-1]
                    continue
                done.append(name)
        except Damaged:
            pass
        return passed, "/" + "/".join(done)
