"""Inflate exactly as stage2/gunzip.c does it, for streams on which it and zlib part ways.

GRUB's decoder (gzip 1.2.4's) accepts more than RFC 1951 allows: distances that reach back before the start of
the data, a repeat of a length where there is none, blocks without an end-of-block code. It works on the memory
that earlier files left. This one is exact and slow; gunzip.py uses it only where zlib stops.
"""

from __future__ import annotations

from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.file.gunzip_stream import WSIZE
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.typed import Protocol

STORED, FIXED, DYNAMIC = 0, 1, 2

LITERALS = 257
MAX_LITERAL_CODES = 286
CODE_LENGTHS = 19
MAX_CODES = 288
MAX_DISTANCE_CODES = 30
BIT_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
LENGTH_BASE = (3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
               227, 258)  # fmt: skip
LENGTH_EXTRA = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0)
DISTANCE_BASE = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
                 4097, 6145, 8193, 12289, 16385, 24577)  # fmt: skip
DISTANCE_EXTRA = (0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13)

FIXED_LITERALS = (8,) * 144 + (9,) * 112 + (7,) * 24 + (8,) * 8
FIXED_DISTANCES = (5,) * 30

INVALID = -1
Table = tuple[int, list[tuple[int, int]]]
"""Bits to look at, and for each value of them the bits that the code takes and its symbol."""


class BadData(Exception):
    """Error 3."""


class ByteSource(Protocol):
    """Where compressed bytes come from, without end."""

    def byte(self) -> int:
        """The next byte; a failing read leaves errnum set and gives what the buffer held."""


def build_table(lengths: tuple[int, ...] | list[int], values: list[int], *, incomplete: bool = False) -> Table | None:
    """huft_build(): the decoding table of some code lengths, None when they are all 0.

    values: the symbols in the order of their codes, which huft_build() keeps on the stack from call to call.
    incomplete: take an incomplete set. Raises BadData for an oversubscribed or incomplete one.
    """
    longest = max(lengths)
    if not longest:
        return None
    left = 1
    for bits in range(1, longest + 1):
        left = (left << 1) - lengths.count(bits)
        if left < 0:
            raise BadData
    order = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    values[: len(order)] = [symbol for _, symbol in order]
    unused = values[len(order) : min(len(order) + left, CODE_LENGTHS)]
    if len(lengths) == CODE_LENGTHS and any(value >= CODE_LENGTHS for value in unused):
        # QUIRK: codes that nothing stands for take what the last table left there.
        raise Stop(Outcome.CRASH, "gunzip follows a null pointer: an incomplete set of code length codes")
    # A single code of one bit is incomplete and accepted, as in zlib.
    if left and longest != 1 and not incomplete:
        raise BadData
    table: list[tuple[int, int]] = [(longest, INVALID)] * (1 << longest)
    code, last = 0, 0
    for bits, symbol in order:
        code <<= bits - last
        last = bits
        reverse = int(f"{code:0{bits}b}"[::-1], 2)
        table[reverse :: 1 << bits] = [(bits, symbol)] * (1 << (longest - bits))
        code += 1
    return longest, table


class Inflater:
    """GRUB's inflate state: window() unpacks the next 32 KiB into `slide`.

    slide: the window's memory, with what earlier files left there.
    """

    def __init__(self, m: Machine, source: ByteSource, slide: bytearray) -> None:
        self.m = m
        self.source = source
        self.slide = slide
        self.bits = 0
        self.count = 0
        self.last_block = False
        self.block_type = STORED
        self.block_len = 0
        self.copy = (0, 0)
        """What is left of a match: its length, and where in the window to copy from."""
        self.literals: Table | None = None
        self.distances: Table | None = None
        self.values = [0] * MAX_CODES
        self.at = 0

    def window(self) -> None:
        """inflate_window(): sets errnum to 3 for bad data. Returns with the window full or the data at its end."""
        m = self.m
        self.at = 0
        try:
            while self.at < WSIZE and not m.errnum:
                m.tick()
                if not self.block_len:
                    if self.last_block:
                        break
                    self._new_block()
                    if m.errnum:
                        return
                if self.block_type == STORED:
                    self._stored()
                else:
                    self._codes()
        except BadData:
            m.errnum = ErrNum.BAD_GZIP_DATA

    def _take(self, count: int) -> int:
        while self.count < count:
            self.bits |= self.source.byte() << self.count
            self.count += 8
        value = self.bits & ((1 << count) - 1)
        self.bits >>= count
        self.count -= count
        return value

    def _symbol(self, table: Table | None) -> int:
        if table is None:
            raise Stop(Outcome.CRASH, "gunzip follows a null pointer: a Huffman table without codes is used")
        width, entries = table
        # The code may be shorter than what is looked at, which must not be read before it is needed.
        while True:
            length, symbol = entries[self.bits & ((1 << width) - 1)]
            if length <= self.count:
                break
            self.bits |= self.source.byte() << self.count
            self.count += 8
        if symbol == INVALID:
            raise BadData
        self.bits >>= length
        self.count -= length
        return symbol

    def _new_block(self) -> None:
        self.last_block = bool(self._take(1))
        self.block_type = self._take(2)
        if self.block_type == STORED:
            self._take(self.count & 7)
            self.block_len = self._take(16)
            if self.block_len != self._take(16) ^ 0xFFFF:
                raise BadData
            return
        if self.block_type == FIXED:
            self.literals = build_table(FIXED_LITERALS, self.values)
            self.distances = build_table(FIXED_DISTANCES, self.values, incomplete=True)
        elif self.block_type == DYNAMIC:
            self._read_tables()
        else:
            raise BadData
        self.copy = (0, 0)
        self.block_len = 1

    def _read_tables(self) -> None:
        literals = 257 + self._take(5)
        distances = 1 + self._take(5)
        codes = 4 + self._take(4)
        if literals > MAX_LITERAL_CODES or distances > MAX_DISTANCE_CODES:
            raise BadData
        code_lengths = [0] * CODE_LENGTHS
        for index in range(codes):
            code_lengths[BIT_ORDER[index]] = self._take(3)
        table = build_table(code_lengths, self.values)
        lengths: list[int] = []
        # QUIRK: a repeat without a length before it repeats 0.
        last = 0
        while len(lengths) < literals + distances:
            symbol = self._symbol(table)
            if symbol < 16:
                last, repeat = symbol, 1
            elif symbol == 16:
                repeat = 3 + self._take(2)
            elif symbol == 17:
                last, repeat = 0, 3 + self._take(3)
            else:
                last, repeat = 0, 11 + self._take(7)
            if len(lengths) + repeat > literals + distances:
                raise BadData
            lengths += [last] * repeat
        # QUIRK: a block without an end-of-block code is taken.
        self.literals = build_table(lengths[:literals], self.values)
        self.distances = build_table(lengths[literals:], self.values)

    def _stored(self) -> None:
        m, slide, source = self.m, self.slide, self.source
        while self.block_len and self.at < WSIZE and not m.errnum:
            slide[self.at] = source.byte()
            self.at += 1
            self.block_len -= 1

    def _codes(self) -> None:
        """inflate_codes_in_window(): up to the end of the block or of the window."""
        slide = self.slide
        while True:
            if not self.copy[0]:
                symbol = self._symbol(self.literals)
                if symbol < 256:
                    slide[self.at] = symbol
                    self.at += 1
                    if self.at == WSIZE:
                        return
                    continue
                if symbol == 256:
                    self.block_len = 0
                    return
                symbol -= LITERALS
                if symbol >= len(LENGTH_BASE):
                    raise BadData
                length = LENGTH_BASE[symbol] + self._take(LENGTH_EXTRA[symbol])
                symbol = self._symbol(self.distances)
                # QUIRK: a distance may reach back before the data: to what an earlier file left.
                distance = DISTANCE_BASE[symbol] + self._take(DISTANCE_EXTRA[symbol])
                self.copy = length, (self.at - distance) % WSIZE
            length, source = self.copy
            take = min(length, WSIZE - self.at)
            for _ in range(take):
                slide[self.at] = slide[source]
                self.at += 1
                source = (source + 1) % WSIZE
            self.copy = length - take, source
            if self.at == WSIZE:
                return
