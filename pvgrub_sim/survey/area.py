"""Area: a stretch of a disk, read with bounds and within a budget."""

from __future__ import annotations

import struct

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Disk, known_size
from pvgrub_sim.typed import Any, Final

UNITS: Final = 40_000
"""What reading the structures of one volume may cost: a unit a read and a unit a KiB."""
TOTAL_UNITS: Final = 100_000
"""The same for a whole survey."""
READER_UNITS: Final = 250_000
"""The same for a reader that is kept open to look things up."""
NAMES: Final = 250_000
"""Names of directories that the readers of one survey may go through; the same for a reader that is kept open, each
time that it is asked."""
RUNS: Final = 500_000
"""Stretches of files that one survey may go through in search of holes; the same for a reader that is kept open."""
LONGEST_READ: Final = 16 << 20
"""Bytes that one read of a structure may ask for."""


class Damaged(Exception):
    """A structure is not what its format says; the text says what is wrong and where.

    Never leaves the survey: whoever asks for a part of the image turns it into a line of `problems`.
    """


class Budget:
    """What may still be read of structures (not of files' content): an image with no end in it ends here.

    units: how much. total: a larger one that this is a part of. given_up: it has ended, for a part of it or all:
    what was not found since then may be there all the same.
    """

    def __init__(self, units: int = UNITS, total: Budget | None = None) -> None:
        self.units = units
        self.total = total
        self.names = NAMES
        self.runs = RUNS
        self.given_up = False

    def give_up(self, what: str) -> Damaged:
        """Note that not all is looked at; returns what is to be raised. what: there is more of than expected."""
        self.given_up = True
        if self.total is not None:
            self.total.given_up = True
        return Damaged(f"{what} than a sound image has: given up")

    def spend(self, length: int) -> None:
        """Count one read of `length` bytes; raises Damaged when nothing is left."""
        units = 1 + (length >> 10)
        self.units -= units
        if self.total is not None:
            self.total.units -= units
        if self.units < 0 or (self.total is not None and self.total.units < 0):
            raise self.give_up("more structures")

    def pass_names(self, count: int) -> None:
        """Count names of directories; raises Damaged when there are too many for the whole survey."""
        counter = self.total or self
        counter.names -= count
        if counter.names < 0:
            raise self.give_up("more names in directories")

    def pass_runs(self, count: int) -> None:
        """Count stretches of files; raises Damaged when there are too many for the whole survey."""
        counter = self.total or self
        counter.runs -= count
        if counter.runs < 0:
            raise self.give_up("files in more pieces")


class Area:
    """A stretch of a disk.

    disk: where it lies. offset, size: in bytes; what reaches past the end of the disk cannot be read. known: the disk's
    size, as far as it was known.
    """

    __slots__ = ("budget", "disk", "known", "offset", "size")

    def __init__(self, disk: Disk, offset: int, size: int, budget: Budget) -> None:
        self.disk = disk
        self.known = known_size(disk)
        self.offset = offset
        self.size = size
        self.budget = budget

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes at byte `offset` of the area; raises Damaged when they are not there."""
        if length > LONGEST_READ:
            raise Damaged(f"a structure of {length} bytes at offset {offset}")
        self.budget.spend(length)
        return self.read_data(offset, length)

    def read_data(self, offset: int, length: int) -> bytes:
        """As read(), for a file's content: outside the budget."""
        at = self.offset + offset
        outside = offset < 0 or length < 0 or offset + length > self.size
        if outside or (at + length > self.known and at + length > self.disk.size):
            raise Damaged(f"{length} bytes at offset {offset} lie outside ({self.size} bytes)")
        try:
            return self.disk.read(at, length)
        except ImageError as error:
            raise Damaged(str(error)) from None

    def peek(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, fewer or none where the area ends before."""
        end = min(self.size, self.known - self.offset)
        length = min(length, end - offset)
        if offset < 0 or length <= 0:
            return b""
        try:
            return self.read(offset, length)
        except Damaged:
            return b""

    def peek_each(self, offset: int, step: int, count: int, length: int) -> list[bytes]:
        """`count` times the bytes that peek() gives, from `offset` on every `step` bytes; fewer where the area ends."""
        end = min(self.size, self.known - self.offset)
        places = range(offset, min(offset + step * count, end), step)
        pieces = []
        try:
            # A unit each: hundreds of short reads that are counted one by one take longer than all else.
            self.budget.spend((len(places) - 1) << 10)
        except Damaged:
            return []
        for at in places:
            try:
                pieces.append(self.disk.read(self.offset + at, min(length, end - at)))
            except ImageError:
                pieces.append(b"")
        return pieces

    def unpack(self, layout: struct.Struct, offset: int) -> tuple[Any, ...]:
        """A structure at byte `offset`."""
        return layout.unpack(self.read(offset, layout.size))


def text_of(raw: bytes) -> str:
    """A fixed-width name: up to the first NUL, as UTF-8, with undecodable bytes kept visible."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace").rstrip()


def path_of(raw: bytes) -> str:
    """A file name as text, from which os.fsencode() gives the bytes back."""
    return raw.decode("utf-8", "surrogateescape")


def uuid_of(raw: bytes) -> str:
    """16 bytes as a UUID in its usual form; empty when they are all zero."""
    if len(raw) != 16 or not any(raw):
        return ""
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def guid_of(raw: bytes) -> str:
    """16 bytes as a GUID (UEFI: the first three fields are little-endian), in capitals as sgdisk prints them."""
    return uuid_of(raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).upper()
