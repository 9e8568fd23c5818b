"""The unpacked kernel, of which only what the loader looks at is kept.

A kernel unpacks to 60 MiB, of which the loader reads the headers and the notes. Keeping just these saves the memory,
and the time to fill it; whoever reads something else gets NotInExcerpt, and unpacks again keeping everything.
"""

from __future__ import annotations

from pvgrub_sim.budget import Budget
from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.typed import Protocol

OUTPUT_LIMIT = 256 << 20
"""Bytes that a payload may unpack to where nobody knows better. PV-GRUB's own limit is the memory of its domain."""
COUNTED = 4 << 20
"""Bytes of output after which the budget is told of them."""
HEAD = 256 << 10
"""Bytes kept from the start."""
SPARE = 8 << 10
"""Bytes kept behind a note segment: its last note may name a string that is longer."""
MOST = 4 << 20
"""Bytes kept of one note segment, or of the section headers."""


class NotInExcerpt(Exception):
    """Something was read that had not been kept."""


class TooLarge(Exception):
    """More came out of a decoder than there is room for."""


class Source(Protocol):
    """Bytes to read at offsets."""

    def __len__(self) -> int: ...

    def read(self, at: int, count: int) -> bytes:
        """Count bytes at an offset, fewer at the end; raises NotInExcerpt."""


class InMemory:
    """Bytes that are all there."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def read(self, at: int, count: int) -> bytes:
        """Count bytes at an offset, fewer at the end."""
        return bytes(self.data[at : at + count])


class Excerpt:
    """What a decoder's output leaves behind.

    full: keep all of it, in `head`. most: bytes that it may come to. budget: is told of them.
    """

    def __init__(self, full: bool = False, most: int = OUTPUT_LIMIT, budget: Budget | None = None) -> None:
        self.full = full
        self.most = most
        self.budget = budget
        self._counted = 0
        self.size = 0
        self.head = bytearray()
        self.pieces: list[tuple[int, bytearray]] = []
        """Note segments and section headers: offset and what is kept of it."""
        self.wanted: list[tuple[int, int]] | None = None
        self._passing_until = 0
        """Chunks that end here or before are of no interest."""

    def __len__(self) -> int:
        return self.size

    def append(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes that come out of a decoder; raises TooLarge beyond `most`, GivenUp beyond the budget."""
        start = self.size
        self.size = end = start + len(chunk)
        # Thousands of chunks come by, and hardly one of them matters.
        if end > self._passing_until:
            self._keep(chunk, start)

    def _keep(self, chunk: bytes | bytearray | memoryview, start: int) -> None:
        """Keep what is wanted of a chunk that began at start."""
        if self.size > self.most:
            raise TooLarge
        if self.budget is not None:
            self.budget.take(self.size - self._counted)
            self._counted = self.size
        if self.full:
            self.head += chunk
            return
        if start < HEAD:
            self.head += chunk[: HEAD - start]
        if self.wanted is None and self.size >= HEAD:
            self.wanted = _wanted(self.head)
            self.pieces = [(first, self.head[first : min(start, end)]) for first, end in self.wanted]
        if self.wanted is None:
            return
        for (first, end), (_, piece) in zip(self.wanted, self.pieces, strict=True):
            if start < end and first < self.size:
                piece.extend(chunk[max(first - start, 0) : end - start])
        ahead = [max(first, self.size) for first, end in self.wanted if end > self.size]
        self._passing_until = min([*ahead, self.most, self.size + COUNTED])

    def read(self, at: int, count: int) -> bytes:
        """Count bytes at an offset, fewer at the end; raises NotInExcerpt."""
        end = min(at + count, self.size)
        if at >= end:
            return b""
        if end <= len(self.head):
            return bytes(self.head[at:end])
        for first, piece in self.pieces:
            if first <= at and end <= first + len(piece):
                return bytes(piece[at - first : end - first])
        raise NotInExcerpt


def _wanted(head: bytearray) -> list[tuple[int, int]]:
    """Start and end of the note segments and of the section headers of an ELF file, as its head tells."""
    if head[:4] != layout.MAGIC:
        return []
    wide = head[layout.EI_CLASS] == layout.CLASS_64
    ehdr, phdr = (layout.EHDR64, layout.PHDR64) if wide else (layout.EHDR32, layout.PHDR32)

    def number(fields: layout.Fields, name: str, at: int) -> int:
        offset, count = fields[name]
        return int.from_bytes(head[at + offset : at + offset + count], "little")

    first, step = number(ehdr, "e_phoff", 0), number(ehdr, "e_phentsize", 0)
    sections = number(ehdr, "e_shoff", 0)
    found = [(sections, sections + min(number(ehdr, "e_shentsize", 0) * number(ehdr, "e_shnum", 0), MOST))]
    for index in range(min(number(ehdr, "e_phnum", 0), 64)):
        at = first + step * index
        if number(phdr, "p_type", at) == layout.PT_NOTE:
            start = number(phdr, "p_offset", at)
            found.append((start, start + min(number(phdr, "p_filesz", at), MOST) + SPARE))
    return found
