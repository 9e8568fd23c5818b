"""Directories of ext2, ext3 and ext4 as PV-GRUB scans them: linearly, hash trees unseen (stage2/fsys_ext2fs.c)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.ext2.map import MapEnd
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import ext2
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.ext2.driver import Ext2fs


class Directory:
    """One pass over the directory whose inode is in the buffer."""

    def __init__(self, fs: Ext2fs) -> None:
        self.fs = fs
        self.m = fs.m
        self.buf = fs.buf

    def _entries(self) -> Iterator[tuple[int, int, int]]:
        """Inode, address of the name and its length, of each directory entry, in order; then Error 15."""
        fs, m, buf = self.fs, self.m, self.buf
        sb = fs.sb
        size = fs.inode_u32(ext2.I_SIZE)
        mask, bits, base = sb.block_size - 1, sb.block_bits, sb.datablock2
        unpack, memory = ext2.DIR_ENTRY.unpack_from, buf.memory
        loc, loaded = 0, -1
        while loc < size:
            m.tick()
            if loc >> bits != loaded or not buf.stable:
                loaded = loc >> bits
                self._read_dir_block(loaded)
                memory = buf.memory
            at = base + (loc & mask)
            inode, rec_len, name_len, _ = unpack(memory, at)
            loc = u32(loc + rec_len)
            if inode:
                yield inode, at + ext2.DIR_ENTRY.size, name_len
            if not rec_len:
                # QUIRK: rec_len is trusted: an entry of length 0 that is not the one looked for is read for ever.
                raise Stop(Outcome.HANG, "a directory entry of length 0 on ext2fs is read again and again")
        m.fail(ErrNum.FILE_NOT_FOUND)

    def _read_dir_block(self, logical: int) -> None:
        fs = self.fs
        try:
            block = fs.map(logical)[0]
        except MapEnd:
            raise GrubError(self.m.errnum) from None
        finally:
            fs.blocks.forget_second()
        try:
            # QUIRK: a hole in a directory reads block 0.
            fs.rdfsb(block, fs.sb.datablock2)
        except GrubError:
            self.m.fail(ErrNum.FSYS_CORRUPT)

    def find(self, component: bytes) -> int:
        """The inode number of a name in the directory that the inode is."""
        wanted = len(component)
        memory = self.buf.memory
        for inode, at, length in self._entries():
            if length < wanted or memory[at : at + wanted] != component:
                continue
            # A name ends at its first NUL.
            if length == wanted or not memory[at + wanted]:
                return s32(inode)
        raise AssertionError("the entries end with an error")

    def index(self) -> dict[bytes, int]:
        """What find() gives for each name; empty where the directory cannot be read to its end."""
        numbers: dict[bytes, int] = {}
        try:
            for inode, at, length in self._entries():
                name = bytes(self.buf.memory[at : at + length]).split(b"\0", 1)[0]
                numbers.setdefault(name, s32(inode))
        except Stop:
            return {}
        except GrubError:
            if self.m.errnum != ErrNum.FILE_NOT_FOUND:
                numbers = {}
            self.m.errnum = ErrNum.NONE
        return numbers

    def complete(self, prefix: bytes) -> Iterator[bytes]:
        """The names of the directory that begin with `prefix`; Error 15 when there is none."""
        some = False
        try:
            for _, at, length in self._entries():
                name = bytes(self.buf.memory[at : at + length]).split(b"\0", 1)[0]
                if name.startswith(prefix):
                    some = True
                    if name not in (b"", b".", b".."):
                        yield name
        except GrubError:
            if not some or self.m.errnum != ErrNum.FILE_NOT_FOUND:
                raise
            self.m.errnum = ErrNum.NONE
