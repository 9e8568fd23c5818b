"""The data under GRUB's gunzip: its input buffer, and zlib in the place of its decoder (stage2/gunzip.c)."""

from __future__ import annotations

import zlib

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.read import grub_read, read_at_once
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome

WSIZE = 0x8000
"""The window, in bytes: GRUB unpacks one of them at a time."""
INBUFSIZ = 0x2000
"""Bytes that get_byte() reads at a time."""
READ_AHEAD = 16
"""Buffers that zlib gets at a time."""
IDLE_PASSES = 64
"""Turns over the same buffer without a byte of output that prove an endless loop (8 bit positions would do)."""
EXACT_LIMIT = 8 << 20
"""Bytes of output up to which a stream that zlib refuses is decoded again by inflate.py."""

SURELY_BAD = (
    "invalid block type",
    "invalid stored block lengths",
    "too many length or distance symbols",
    "invalid literal/lengths set",
    "invalid distances set",
)
"""What zlib says of data that GRUB calls Error 3 at the same place."""


class GunzipMemory:
    """What outlives a file in gunzip.c's static buffers."""

    def __init__(self) -> None:
        self.inbuf = bytearray(INBUFSIZ)
        self.slide = bytearray(WSIZE)

    def copy(self) -> GunzipMemory:
        """The same bytes, kept apart."""
        other = GunzipMemory()
        other.restore(self)
        return other

    def restore(self, other: GunzipMemory) -> None:
        """Take over another's bytes in place."""
        self.inbuf[:] = other.inbuf
        self.slide[:] = other.slide


class Input:
    """The compressed data as get_byte() sees it.

    QUIRK: behind the file's end the buffer keeps its old bytes and is used again and again, without an error.
    """

    def __init__(self, m: Machine, memory: GunzipMemory, offset: int) -> None:
        self.m = m
        self.inbuf = memory.inbuf
        self.data_offset = offset
        self.filepos = offset
        self.bufloc = INBUFSIZ
        self.idle = 0

    def byte(self) -> int:
        """The next byte (get_byte())."""
        if self.bufloc == INBUFSIZ or self.filepos == self.data_offset:
            self.bufloc = 0
            self.fill()
        value = self.inbuf[self.bufloc]
        self.bufloc += 1
        return value

    def fill(self) -> None:
        """Read the next 8 KiB over the buffer; a failing read leaves errnum set and what came before it."""
        m = self.m
        m.tick()
        if m.errnum:
            self._read(INBUFSIZ)
            return
        begin = self.filepos
        data = self._read(INBUFSIZ)
        if m.errnum:
            # The driver has filled the buffer up to what it could not read.
            number, end = m.errnum, self.filepos
            m.errnum, self.filepos = ErrNum.NONE, begin
            data = b""
            while len(data) < INBUFSIZ and not m.errnum:
                data += self._read(512)
            m.errnum, self.filepos = number, end
        self.inbuf[: len(data)] = data

    def chunk(self) -> bytes:
        """Some buffers at once: the next bytes that byte() would give. Raises GrubError when a read fails."""
        m = self.m
        m.filepos = self.filepos
        whole = read_at_once(m, READ_AHEAD * INBUFSIZ)
        if whole is not None:
            m.tick(READ_AHEAD)
            self.filepos = m.filepos
            self.inbuf[:] = whole[-INBUFSIZ:]
            return whole
        parts: list[bytes] = []
        for _ in range(READ_AHEAD):
            m.tick()
            m.filepos = self.filepos
            try:
                data = grub_read(m, INBUFSIZ)
            except GrubError:
                if not parts:
                    self.filepos = m.filepos
                    raise
                m.errnum = ErrNum.NONE
                break
            self.filepos = m.filepos
            if len(data) == INBUFSIZ:
                self.inbuf[:] = data
                parts.append(data)
                continue
            self.inbuf[: len(data)] = data
            self.idle += 1
            if self.idle > IDLE_PASSES:
                raise Stop(Outcome.HANG, "gunzip reads the same buffer again and again without unpacking anything")
            # Before the first byte the buffer's beginning is taken each time.
            parts.append(bytes(self.inbuf[:1]) * INBUFSIZ if self.filepos == self.data_offset else bytes(self.inbuf))
            break
        return b"".join(parts)

    def _read(self, length: int) -> bytes:
        self.m.filepos = self.filepos
        try:
            return grub_read(self.m, length)
        except GrubError:
            return b""
        finally:
            self.filepos = self.m.filepos


class NotEqual(Exception):
    """zlib and GRUB may part ways here."""


class ZlibStream:
    """The unpacked data from zlib, as long as that is GRUB's too."""

    def __init__(self, source: Input) -> None:
        self.source = source
        self.inflate = zlib.decompressobj(-15)
        self.pending = b""
        self.produced = 0
        self.bad = False

    def produce(self, size: int) -> bytes:
        """Up to `size` further bytes: fewer at the data's end, or where bad data begins (then `bad` is set).

        Raises NotEqual when GRUB may do something else, GrubError when a read fails.
        """
        parts: list[bytes] = []
        got = 0
        while got < size and not self.inflate.eof and not self.bad:
            if not self.pending:
                self.pending = self.source.chunk()
            before = self.inflate.copy()
            try:
                data = self.inflate.decompress(self.pending, size - got)
            except zlib.error as error:
                if not self._surely_bad(str(error), self.produced + got):
                    raise NotEqual from None
                data = _up_to_the_error(before, self.pending, size - got)
                if (self.produced + got + len(data)) % WSIZE in (0, WSIZE - 1):
                    # Whether the last byte of a window was still there cannot be told.
                    raise NotEqual from None
                self.bad = True
            else:
                self.pending = self.inflate.unconsumed_tail
            if data:
                self.source.idle = 0
                got += len(data)
                parts.append(data)
        self.produced += got
        return b"".join(parts)

    @staticmethod
    def _surely_bad(message: str, position: int) -> bool:
        """Whether GRUB calls the same place Error 3.

        An incomplete set of code length codes is no error in GRUB when it is one code of one bit; that is looked
        at only in small files.
        """
        if any(text in message for text in SURELY_BAD):
            return True
        return "invalid code lengths set" in message and position > EXACT_LIMIT


def _up_to_the_error(inflate: zlib._Decompress, data: bytes, limit: int) -> bytes:
    """What zlib unpacks of data that it refuses: all but at most the last byte before the error."""
    best, good, bad = b"", 0, len(data)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            best = inflate.copy().decompress(data[:middle], limit)
            good = middle
        except zlib.error:
            bad = middle
    # The byte in which the error lies may hold codes before it.
    low, high = len(best), min(len(best) + 8 * 258, limit) + 1
    while high - low > 1:
        middle = (low + high) // 2
        try:
            best = inflate.copy().decompress(data[:bad], middle)
            low = middle
        except zlib.error:
            high = middle
    return best
