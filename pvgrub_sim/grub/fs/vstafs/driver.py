"""VSTa's filesystem as stage2/fsys_vstafs.c reads it: of use in the 32-bit build only, and hardly there."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.names import c_string, next_name, skip_slashes
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import mbr
from pvgrub_sim.ondisk import vstafs as vsta
from pvgrub_sim.typed import ClassVar, Self

_LAYOUT = vsta.LAYOUT_32


class Vstafs:
    """A mounted VSTa filesystem and its open file."""

    name: ClassVar[str] = "vstafs"

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._file_sector = vsta.ROOT_SECTOR
        self._header = bytes(vsta.BLOCK_SIZE)
        self._block = bytes(vsta.BLOCK_SIZE)

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """vstafs_mount(): raises GrubError when the first sector cannot be read."""
        if m.current_slice not in (0, mbr.TYPE_VSTAFS):
            return None
        first = devread(m, 0, 0, vsta.BLOCK_SIZE)
        # QUIRK: the 64-bit build compares 8 bytes, the filesystem's size among them.
        layout = vsta.LAYOUT_64 if m.is_64bit else vsta.LAYOUT_32
        if int.from_bytes(first[: layout.word], "little") != vsta.MAGIC:
            return None
        return cls(m)

    def open(self, path: bytes) -> None:
        """vstafs_dir(): raises GrubError 15. QUIRK: a directory opens like a file."""
        m = self.m
        self._file_sector = vsta.ROOT_SECTOR
        at = 0
        while True:
            entries = self._entries()
            name, at = next_name(path, skip_slashes(path, at))
            start = next((start for entry, start in entries if entry == name), None)
            if start is None:
                m.fail(ErrNum.FILE_NOT_FOUND)
            self._file_sector = start
            self._load_header(start)
            m.filemax = s32(self._number(_LAYOUT.length))
            if path[at : at + 1] != b"/":
                break
        if m.errnum:
            raise GrubError(m.errnum)

    def list(self, path: bytes) -> Iterator[bytes]:
        """vstafs_dir() for completion.

        QUIRK: the names shown are those that sort behind what was typed, not those that begin with it.
        """
        self._file_sector = vsta.ROOT_SECTOR
        at = 0
        while True:
            entries = self._entries()
            name, at = next_name(path, skip_slashes(path, at))
            if path[at : at + 1] != b"/":
                break
            start = next((start for entry, start in entries if entry == name), None)
            if start is None:
                self.m.fail(ErrNum.FILE_NOT_FOUND)
            self._file_sector = start
        shown = False
        for entry, _ in entries:
            if name <= entry:
                shown = True
                yield entry
            if name == entry:
                return
        if not shown:
            self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _number(self, at: int) -> int:
        return int.from_bytes(self._header[at : at + 4], "little")

    def _extent(self, index: int) -> tuple[int, int]:
        """Start and length in sectors of an extent of the file or directory whose header was read last."""
        at = _LAYOUT.blocks + 8 * index
        return self._number(at), self._number(at + 4)

    def _load_header(self, sector: int) -> None:
        if self.m.is_64bit:
            # QUIRK: FILE_INFO (stage2/fsys_vstafs.c) lies 8192 *structures* behind the buffer, not bytes: 4.9 MB
            # in the 64-bit build, behind the end of the memory set aside for GRUB.
            raise Stop(Outcome.CRASH, "overrun: vstafs writes behind GRUB's memory")
        try:
            self._header = devread(self.m, sector, 0, vsta.BLOCK_SIZE)
        except GrubError:
            # QUIRK: the read's result is ignored: what was there before is taken.
            return

    def _load_block(self, sector: int) -> None:
        try:
            self._block = devread(self.m, sector, 0, vsta.BLOCK_SIZE)
        except GrubError:
            return

    def _entries(self) -> Iterator[tuple[bytes, int]]:
        """Names and header sectors of the directory at the current file's sector."""
        self._load_header(self._file_sector)
        if self._header[_LAYOUT.type : _LAYOUT.type + 2] != b"\x02\x00":
            self.m.fail(ErrNum.FILE_NOT_FOUND)
        return self._walk()

    def _walk(self) -> Iterator[tuple[bytes, int]]:
        extent = block = 0
        index = vsta.FIRST_ENTRY
        self._load_block(self._extent(0)[0])
        while True:
            for entry in range(index, vsta.ENTRIES_PER_BLOCK):
                at = entry * _LAYOUT.entry_size
                name = c_string(self._block[at : at + _LAYOUT.entry_size])
                if name and not name[0] & 0x80:
                    start = at + _LAYOUT.entry_start
                    yield name, s32(int.from_bytes(self._block[start : start + 4], "little"))
            if self.m.errnum:
                # Every further read fails, so the same block comes again until the extents are through.
                return
            index = 0
            self.m.tick()
            block += 1
            if block > u32(self._extent(extent)[1] - 1):
                block = 0
                extent += 1
            if extent >= self._number(_LAYOUT.extents):
                return
            self._load_block(u32(self._extent(extent)[0] + block))

    def read(self, length: int) -> bytes:
        """vstafs_read(): raises GrubError; dies where a file has more than one extent.

        QUIRK: the position is not moved on, so whoever reads piece by piece gets the first piece for ever.
        """
        m = self.m
        self._load_header(self._file_sector)
        size = s32(self._number(_LAYOUT.length) - vsta.START_OF_DATA)
        start, sectors = self._extent(0)
        first = u32(sectors * vsta.BLOCK_SIZE - vsta.START_OF_DATA)
        extents = self._number(_LAYOUT.extents)
        if extents > 1:
            # QUIRK: later extents are read whole, whatever was asked for, behind the caller's buffer.
            raise Stop(Outcome.CRASH, "overrun: a vstafs file of several extents is read past the caller's buffer")
        if not extents or m.filepos >= first:
            return b""
        # QUIRK: the position is taken off twice.
        more = min(s32(first - 2 * m.filepos), length, size)
        return devread(m, start, vsta.START_OF_DATA + m.filepos, more)
