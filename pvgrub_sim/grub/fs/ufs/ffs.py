"""UFS1 (the Fast File System) as stage2/fsys_ffs.c reads it."""

from __future__ import annotations

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.fs.ufs.file import UfsFile
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.ondisk import ufs
from pvgrub_sim.ondisk.bsd import FS_BSDFFS, is_bsd_slice_with_fs
from pvgrub_sim.typed import ClassVar, Self

_MAGIC_AT_64BIT = 1592
_SECTOR = ufs.SUPERBLOCK_UFS1 >> SECTOR_BITS
_SECTORS = ufs.SUPERBLOCK_SIZE >> SECTOR_BITS


class Ffs(UfsFile):
    """A mounted UFS1 filesystem and its open file."""

    name: ClassVar[str] = "ffs"
    pointer_size = 4
    inode_size = ufs.INODE1_SIZE
    file_size_at = ufs.INODE1_FILE_SIZE
    direct_at = ufs.INODE1_DIRECT
    indirect_at = ufs.INODE1_INDIRECT

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """ffs_mount(): raises GrubError when the superblock cannot be read."""
        if m.current_slice != 0 and not is_bsd_slice_with_fs(m.current_slice, FS_BSDFFS):
            return None
        if m.part_length < _SECTOR + _SECTORS:
            return None
        data = devread(m, _SECTOR, 0, ufs.SUPERBLOCK_SIZE)
        # QUIRK: the superblock has C's `long` in it, so the 64-bit build looks for the magic elsewhere and
        # never finds a real UFS1.
        at = _MAGIC_AT_64BIT if m.is_64bit else ufs.MAGIC
        if int.from_bytes(data[at : at + 4], "little") != ufs.MAGIC_UFS1:
            return None
        return cls(m, data)

    def _block_offset(self, position: int) -> int:
        return position & ~self._sb(ufs.BMASK)

    def _round_up(self, size: int) -> int:
        return u32(size + self._sb(ufs.FSIZE) - 1) & self._sb(ufs.FMASK)

    def _inode_block(self, inode: int) -> int:
        group, index = self._divide(inode, self._divisor(ufs.IPG))
        block, _ = self._divide(index, self._divisor(ufs.INOPB))
        start = self._sb(ufs.FPG) * group + self._sb(ufs.OLD_CGOFFSET) * (group & ~self._sb(ufs.OLD_CGMASK))
        return u32(start + self._sb(ufs.IBLKNO) + s32(block << (self._sb(ufs.FRAGSHIFT) & 31)))
