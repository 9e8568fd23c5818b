"""UFS2 as stage2/fsys_ufs2.c reads it."""

from __future__ import annotations

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.fs.ufs.file import SUPERBLOCK, UfsFile
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.ondisk import ufs
from pvgrub_sim.ondisk.bsd import FS_BSDFFS, is_bsd_slice_with_fs
from pvgrub_sim.typed import ClassVar, Self

_SECTORS = ufs.SUPERBLOCK_SIZE >> SECTOR_BITS


class Ufs2(UfsFile):
    """A mounted UFS2 filesystem and its open file."""

    name: ClassVar[str] = "ufs2"
    pointer_size = 8
    inode_size = ufs.INODE2_SIZE
    file_size_at = ufs.INODE2_FILE_SIZE
    direct_at = ufs.INODE2_DIRECT
    indirect_at = ufs.INODE2_INDIRECT

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """ufs2_mount(): a place that cannot be read leaves errnum set, and the next one is tried."""
        if m.current_slice != 0 and not is_bsd_slice_with_fs(m.current_slice, FS_BSDFFS):
            return None
        for place in ufs.UFS2_SEARCH:
            # QUIRK: the partition's length in sectors is compared with the place in bytes, so that 64 KiB is
            # looked at from 32 MiB on only.
            if m.part_length < place + _SECTORS:
                continue
            try:
                data = devread(m, 0, place, ufs.SUPERBLOCK_SIZE)
            except GrubError:
                continue
            if int.from_bytes(data[ufs.MAGIC : ufs.MAGIC + 4], "little") == ufs.MAGIC_UFS2:
                return cls(m, data)
        return None

    def _block_offset(self, position: int) -> int:
        return position & self._number(SUPERBLOCK + ufs.QBMASK, 8)

    def _round_up(self, size: int) -> int:
        return (size + self._number(SUPERBLOCK + ufs.QFMASK, 8)) & self._sb(ufs.FMASK)

    def _inode_block(self, inode: int) -> int:
        group, index = self._divide(inode, self._divisor(ufs.IPG))
        block, _ = self._divide(index, self._divisor(ufs.INOPB))
        start = s32(self._sb(ufs.FPG) * group)
        if self._sb(ufs.MAGIC) != ufs.MAGIC_UFS2:
            # Only where a directory block has overwritten the superblock.
            start += s32(self._sb(ufs.OLD_CGOFFSET) * (group & ~self._sb(ufs.OLD_CGMASK)))
        return start + self._sb(ufs.IBLKNO) + s32(block << (self._sb(ufs.FRAGSHIFT) & 31))
