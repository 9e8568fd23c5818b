"""An ext4 filesystem in its 32-bit form, as `resize2fs -s` leaves it: a patch of the superblock and the descriptors."""

from __future__ import annotations

from collections.abc import Mapping

from pvgrub_sim.media.disk import Disk
from pvgrub_sim.ondisk import ext2
from pvgrub_sim.ondisk import ext2_features as features
from pvgrub_sim.survey.ext_superblock import Superblock
from pvgrub_sim.typed import Final

LARGEST_TABLE: Final = 16 << 20
"""Bytes of group descriptors that are rewritten in memory: those of a filesystem of 32 TiB."""


def without_64bit(disk: Disk, offset: int) -> Mapping[int, bytes] | None:
    """The patch that takes the feature 64bit away; None where more would have to move than the descriptors.

    offset: of the filesystem on the disk, in bytes. Files and directories stay where they are, so that PV-GRUB's own
    driver can be asked what it reads afterwards. As convert_64bit() in e2fsprogs, resize/resize2fs.c. Raises
    ImageError, Damaged.
    """
    raw = disk.read(offset + ext2.SUPERBLOCK_OFFSET, ext2.SUPERBLOCK_SIZE)
    block = Superblock.parse(raw)
    block.check()
    groups = -(-(block.blocks_count - block.first_data_block) // block.blocks_per_group)
    size = groups * block.desc_size
    if block.incompat & features.INCOMPAT_META_BG or block.desc_size <= ext2.DESC_SIZE or size > LARGEST_TABLE:
        return None
    place = offset + (block.first_data_block + 1) * block.block_size
    table = disk.read(place, size)
    short = b"".join(table[at : at + ext2.DESC_SIZE] for at in range(0, size, block.desc_size))
    changed = bytearray(raw)
    incompat = block.incompat & ~features.INCOMPAT_64BIT
    changed[ext2.S_FEATURE_INCOMPAT : ext2.S_FEATURE_INCOMPAT + 4] = incompat.to_bytes(4, "little")
    changed[ext2.S_DESC_SIZE : ext2.S_DESC_SIZE + 2] = bytes(2)
    return {offset + ext2.SUPERBLOCK_OFFSET: bytes(changed), place: short}
