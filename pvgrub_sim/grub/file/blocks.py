"""Reading the open file in large blocks where GRUB reads it byte by byte."""

from __future__ import annotations

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine

BLOCK = 1 << 20


class BlockReader:
    """Gives what a loop of grub_read (&c, 1) gives, many bytes at a time."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        # A hook would tell of every byte.
        self._size = 1 if m.disk_read_hook else BLOCK
        self.position = m.filepos

    def read(self) -> bytes:
        """The next bytes; b"" at the end, or where reading one byte fails: then errnum is set."""
        m = self._m
        while True:
            m.filepos = self.position
            try:
                data = grub_read(m, self._size)
            except GrubError:
                data = b""
            if not m.errnum:
                self.position += len(data)
                return data
            if self._size == 1:
                return b""
            # What can be read in front of the failing byte is still read.
            m.errnum = ErrNum.NONE
            self._size = max(self._size >> 4, 1)
