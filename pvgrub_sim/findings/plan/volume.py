"""The files of one volume as they will be, as the machine asks for them."""

from __future__ import annotations

import re

from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.planned import PlannedReader
from pvgrub_sim.survey.tree import Node, Reader, find, head
from pvgrub_sim.survey.viewer import Files
from pvgrub_sim.typed import Final

LARGEST_FILE: Final = 1 << 30
"""Bytes of a file that is kept in memory as it will be."""
_SHORT: Final = rb"(?:[^a-z.]{1,8}|[^A-Z.]{1,8})(?:\.(?:[^a-z.]{1,3}|[^A-Z.]{1,3}))?"
"""A name that FAT keeps as a short one, with flags for lower case: eight characters and three, each in one case."""


class StoredFile:
    """A file that is there already, read when a stretch of it is wanted."""

    def __init__(self, reader: Reader, node: Node) -> None:
        self._reader = reader
        self._node = node

    def __len__(self) -> int:
        return self._node.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._node.size)
        try:
            return head(self._reader, self._node, stop - start, start)
        except Damaged:
            return b""


class PlannedVolume:
    """The files of a volume as the machine will find them.

    anew: the driver's name where it is made anew, else "". clean: it will have been checked.
    """

    def __init__(self, reader: PlannedReader, anew: str = "") -> None:
        self.reader = reader
        self.anew = anew
        self.clean = False
        self._files = Files(reader)

    def resolve(self, path: bytes) -> bytes:
        """A path without the links on its way."""
        return self._files.links(path.decode("utf-8", "surrogateescape"))[1].encode("utf-8", "surrogateescape")

    def beneath(self, path: bytes) -> bytes:
        """The path itself, or the one without links where a planned one is on its way."""
        real = self.resolve(path)
        try:
            return real if self.reader.passes_planned_link(path) else path
        except Damaged:
            return path

    def content(self, path: bytes) -> bytes | StoredFile | None:
        """The bytes of a planned file; on a filesystem that is made anew, of any."""
        try:
            if not self.anew:
                return None if self._is_unknown(path) else self.reader.planned_file(path)
            node = find(self.reader, path)
            if node is None or node.type.name != "FILE" or node.size > LARGEST_FILE:
                return None
            # Of a damaged one nothing is there. Most are only opened: hundreds of kernels are not read for that.
            head(self.reader, node, 1)
            return StoredFile(self.reader, node)
        except Damaged:
            return None

    def _is_unknown(self, path: bytes) -> bool:
        """True for a name by which PV-GRUB finds nothing on FAT: a short one that is not in lower case.

        mtools write such a name without a long one beside it, and the driver knows short names in lower case alone.
        """
        return self.reader.folds and any(
            part != part.lower() and re.fullmatch(_SHORT, part) for part in path.split(b"/")
        )

    def is_directory(self, path: bytes) -> bool:
        """True when the path leads to a directory."""
        try:
            node = find(self.reader, path)
        except Damaged:
            return False
        return node is not None and node.type.name == "DIRECTORY"
