"""The filesystem buffer (FSYS_BUF, stage2/shared.h): the memory in which a driver keeps what it has read."""

from __future__ import annotations

import struct

from pvgrub_sim.cint import u32
from pvgrub_sim.grub.disk.raw import devread, disk_sector
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome

FSYS_BUFLEN = 0x8000
SCRATCH_LEFT = (4 << 20) - 0x68000
"""Bytes from FSYS_BUF to the end of grub_scratch_mem (stubdom/grub/mini-os.c)."""

SLACK = 1024
"""Bytes of zeros that are kept behind every block: a structure at its end may reach over it."""

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")


class FsysBuffer:
    """Bytes by address, counted from FSYS_BUF; what lies behind them reads as zeros."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.memory = bytearray(FSYS_BUFLEN)
        self.stable = True
        """False when blocks do not stay as they were read, so that each use must read them again."""

    def overrun(self) -> None:
        """The driver's blocks do not fit: from now on they are written over the track buffer behind this one."""
        from pvgrub_sim.grub.disk.track_buffer import TrackBuffer

        self.stable = False
        self.m.track_buffer = TrackBuffer(self.m, self.memory)

    def read(self, sector: int, size: int, address: int) -> None:
        """devread() `size` bytes at a sector of the partition to an address. Raises GrubError."""
        if address + size + SLACK > len(self.memory):
            if address + size > SCRATCH_LEFT:
                raise Stop(Outcome.CRASH, f"a block of {size} bytes overruns GRUB's memory")
            self.memory.extend(bytes(address + size + SLACK - len(self.memory)))
        if self.m.track_buffer is not None:
            start = u32(disk_sector(self.m, sector, 0, size))
            self.m.track_buffer.rawread(self.m.current_drive, start, 0, self.memory, slice(address, address + size))
        else:
            self.memory[address : address + size] = devread(self.m, sector, 0, size)

    def devread(self, sector: int, byte_offset: int, size: int) -> bytes:
        """devread() of `size` bytes that do not go to this buffer. Raises GrubError."""
        return devread(self.m, sector, byte_offset, size)

    def be32(self, address: int) -> int:
        """The big-endian 32-bit number at an address."""
        return int.from_bytes(self.load(address, 4), "big")

    def store(self, address: int, data: bytes) -> None:
        """Put bytes at an address."""
        self.memory[address : address + len(data)] = data

    def load(self, address: int, size: int) -> bytes:
        """`size` bytes at an address."""
        data = bytes(self.memory[max(address, 0) : max(address + size, 0)])
        return data + bytes(size - len(data))

    def move(self, to: int, source: int, size: int) -> None:
        """memmove()."""
        self.store(to, self.load(source, size))

    def u16(self, address: int) -> int:
        """The little-endian 16-bit number at an address."""
        try:
            return int(_U16.unpack_from(self.memory, address)[0])
        except struct.error:
            return int.from_bytes(self.load(address, 2), "little")

    def u32(self, address: int) -> int:
        """The little-endian 32-bit number at an address."""
        try:
            return int(_U32.unpack_from(self.memory, address)[0])
        except struct.error:
            return int.from_bytes(self.load(address, 4), "little")


def log2(value: int) -> int:
    """The number of the lowest bit that is set: GRUB's log2() is x86's `bsf`, which leaves 0 as it is."""
    return (value & -value).bit_length() - 1 if value else 0
