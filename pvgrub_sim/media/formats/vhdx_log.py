"""The log of a VHDX: what a crash left to be done is done in memory ([MS-VHDX] 2.3)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.media.formats.mapped import LARGEST_DISK, Mapped, Padded, Piece
from pvgrub_sim.ondisk import vhdx as layout
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

LARGEST_LOG: Final = 8 << 20
"""Bytes; what writes VHDX makes logs of 1 MiB."""
MOST_CHECKED: Final = 2
"""How often the log's length is looked at for entries that are none. What goes round in it overwrites old entries from
their beginning on, so that no more than one, on which a crash came, begins as one and is not whole."""
SECTOR: Final = layout.LOG_SECTOR


class _Entry(NamedTuple):
    """A valid entry: where it starts and how long it is, in the log, and what it says."""

    at: int
    length: int
    sequence: int
    tail: int
    flushed: int
    last: int
    descriptors: bytes
    sectors: bytes


def replayed(below: Disk, header: layout.Header) -> Disk:
    """The file as it is once its log is done; the file itself where there is nothing to do. Raises ImageError."""
    if not any(header.log) or not header.log_length:
        return below
    if header.log_version:
        raise ImageError(below.name, f"damaged vhdx image: a log of the unknown version {header.log_version}")
    length, offset = header.log_length, header.log_offset
    if length % (1 << 20) or offset % (1 << 20) or offset < 1 << 20 or offset + length > below.size:
        raise ImageError(below.name, "damaged vhdx image: the log lies outside of the file", offset)
    if length > LARGEST_LOG:
        raise ImageError(below.name, f"vhdx image with a log of {length} bytes, which is not read here", offset)
    entries = _active(below.name, below.read(offset, length), header.log)
    if not entries:
        return below
    if entries[-1].flushed > below.size:
        raise ImageError(below.name, f"damaged vhdx image: the file had {entries[-1].flushed} bytes and is cut short")
    disk = Replayed(below, max(entries[-1].last, below.size))
    for entry in entries:
        disk.apply(entry)
    disk.settle()
    return disk


def _active(name: str, log: bytes, guid: bytes) -> list[_Entry]:
    """The active sequence: of all runs of entries that follow each other, the one that ends with the highest number."""
    valid: dict[int, _Entry] = {}
    end = spent = 0
    for at in range(0, len(log), SECTOR):
        # No entry begins inside of another: what looks like one there is data.
        length = _length(log, at, guid) if at >= end else 0
        spent += length
        if spent > MOST_CHECKED * len(log):
            raise ImageError(name, "damaged vhdx image: its log has more entries than it has room for")
        entry = _entry(log, at, length) if length else None
        if entry is not None:
            valid[at] = entry
            end = at + entry.length
    for head in sorted(valid.values(), key=lambda one: -one.sequence):
        run = [valid[head.tail]] if head.tail in valid else []
        while run and run[-1].at != head.at and len(run) <= len(valid):
            following = valid.get((run[-1].at + run[-1].length) % len(log))
            if following is None or following.sequence != run[-1].sequence + 1:
                run = []
            else:
                run.append(following)
        if run and run[-1] is head:
            return run
    return []


def _length(log: bytes, at: int, guid: bytes) -> int:
    """The length of the entry that seems to begin at a place of the log, 0 where none of this log does."""
    signature, _, length, _, sequence, _, _, of, *_ = layout.LOG_ENTRY.unpack_from(log, at)
    if signature != b"loge" or of != guid or not sequence or length % SECTOR or length > len(log):
        return 0
    return int(length)


def _entry(log: bytes, at: int, length: int) -> _Entry | None:
    """The entry at a place of the log, None where it is not whole."""
    _, _, _, tail, sequence, count, _, _, flushed, last = layout.LOG_ENTRY.unpack_from(log, at)
    raw = (log + log)[at : at + length] if at + length > len(log) else log[at : at + length]
    stop = layout.LOG_ENTRY.size + count * layout.DESCRIPTOR.size
    begin = -(-stop // SECTOR) * SECTOR
    if begin > length or not layout.sound(raw):
        return None
    return _Entry(at, length, sequence, tail, flushed, last, raw[layout.LOG_ENTRY.size : stop], raw[begin:])


class Replayed(Mapped):
    """The file with its log done: sectors of 4 KiB that lie over it.

    below: the file. size: of the file as it then is, in bytes.
    """

    def __init__(self, below: Disk, size: int) -> None:
        super().__init__(below, "vhdx", min(size, LARGEST_DISK))
        self._file = Padded(below)
        self._written: dict[int, bytes] = {}
        self._places: list[int] = []
        """Where the sectors lie that are written, in order."""
        self._zeros: list[tuple[int, int]] = []
        """Where stretches of zeros begin and stop; in order and apart from each other once they are settled."""

    def apply(self, entry: _Entry) -> None:
        """Do what an entry says; raises ImageError where it contradicts itself."""
        at = 0
        # All that the file had then lies before `last`.
        last = max(entry.last, self.below.size)
        for signature, trailing, leading, offset, sequence in layout.DESCRIPTOR.iter_unpack(entry.descriptors):
            if sequence != entry.sequence or offset % SECTOR:
                raise self.damaged("a log entry with a wrong descriptor", entry.at)
            length = int.from_bytes(leading, "little") if signature == b"zero" else SECTOR
            if length % SECTOR or offset + length > last:
                raise self.damaged("a log entry with a descriptor of what lies outside of the file", entry.at)
            if signature == b"zero":
                self._zero(offset, offset + length)
            elif signature == b"desc" and entry.sectors[at : at + 4] == b"data":
                sector = entry.sectors[at : at + SECTOR]
                high, low = sector[4:8], sector[4092:4096]
                if low + high != sequence.to_bytes(8, "little"):
                    raise self.damaged("a log entry whose data is of another one", entry.at)
                if offset not in self._written:
                    insort(self._places, offset)
                self._written[offset] = leading + sector[8:4092] + trailing
                at += SECTOR
            else:
                raise self.damaged("a log entry with a wrong descriptor", entry.at)

    def _zero(self, begin: int, stop: int) -> None:
        first, behind = bisect_left(self._places, begin), bisect_left(self._places, stop)
        for place in self._places[first:behind]:
            del self._written[place]
        del self._places[first:behind]
        self._zeros.append((begin, stop))

    def settle(self) -> None:
        """Nothing more is applied: bring the zeros in order, so that a read need not go through all of them."""
        settled: list[tuple[int, int]] = []
        for begin, stop in sorted(self._zeros):
            if settled and begin <= settled[-1][1]:
                settled[-1] = (settled[-1][0], max(stop, settled[-1][1]))
            elif stop > begin:
                settled.append((begin, stop))
        self._zeros = settled

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        while offset < end:
            inside = offset % SECTOR
            written = self._written.get(offset - inside)
            if written is not None:
                size = min(end - offset, SECTOR - inside)
                yield size, written, inside
            else:
                zeros, stop = self._stretch(offset, end)
                size = stop - offset
                yield size, None if zeros else self._file, offset
            offset += size

    def _stretch(self, offset: int, end: int) -> tuple[bool, int]:
        """Whether zeros are at an offset, where nothing is written, and how far it is the same from there on."""
        following = bisect_right(self._places, offset)
        if following < len(self._places):
            end = min(end, self._places[following])
        number = bisect_right(self._zeros, offset, key=lambda stretch: stretch[0])
        if number and offset < self._zeros[number - 1][1]:
            return True, min(end, self._zeros[number - 1][1])
        return False, min(end, self._zeros[number][0]) if number < len(self._zeros) else end
