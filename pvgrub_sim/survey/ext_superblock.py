"""The superblock of ext2, ext3 and ext4 as Linux reads it."""

from __future__ import annotations

from pvgrub_sim.ondisk import ext2
from pvgrub_sim.ondisk import ext2_features as features
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.typed import Final, Self
from pvgrub_sim.values import NamedTuple

LARGEST_LOG_BLOCK_SIZE: Final = 6
"""64 KiB, what ext4 goes up to."""


class Superblock(NamedTuple):
    """The fields that matter, under the kernel's names without the s_ prefix."""

    inodes_count: int
    blocks_count: int
    first_data_block: int
    block_size: int
    blocks_per_group: int
    inodes_per_group: int
    state: int
    rev_level: int
    minor_rev_level: int
    inode_size: int
    compat: int
    incompat: int
    ro_compat: int
    uuid: bytes
    volume_name: bytes
    desc_size: int
    first_meta_bg: int
    backup_bgs: tuple[int, int]
    creator_os: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From the superblock's 1024 bytes; raises Damaged when a field makes it unreadable."""

        def u32(at: int) -> int:
            return int.from_bytes(raw[at : at + 4], "little")

        def u16(at: int) -> int:
            return int.from_bytes(raw[at : at + 2], "little")

        dynamic = u32(ext2.S_REV_LEVEL) >= ext2.DYNAMIC_REV
        incompat = u32(ext2.S_FEATURE_INCOMPAT) if dynamic else 0
        wide = bool(incompat & features.INCOMPAT_64BIT)
        log_block_size = u32(ext2.S_LOG_BLOCK_SIZE)
        if log_block_size > LARGEST_LOG_BLOCK_SIZE:
            raise Damaged(f"block size 2^{10 + log_block_size} is none of ext4's")
        block = cls(
            inodes_count=u32(ext2.S_INODES_COUNT),
            blocks_count=u32(ext2.S_BLOCKS_COUNT) | (u32(ext2.S_BLOCKS_COUNT_HI) << 32 if wide else 0),
            first_data_block=u32(ext2.S_FIRST_DATA_BLOCK),
            block_size=1024 << log_block_size,
            blocks_per_group=u32(ext2.S_BLOCKS_PER_GROUP),
            inodes_per_group=u32(ext2.S_INODES_PER_GROUP),
            state=u16(ext2.S_STATE),
            rev_level=u32(ext2.S_REV_LEVEL),
            minor_rev_level=u16(ext2.S_MINOR_REV_LEVEL),
            inode_size=u16(ext2.S_INODE_SIZE) if dynamic else ext2.GOOD_OLD_INODE_SIZE,
            compat=u32(ext2.S_FEATURE_COMPAT) if dynamic else 0,
            incompat=incompat,
            ro_compat=u32(ext2.S_FEATURE_RO_COMPAT) if dynamic else 0,
            uuid=raw[ext2.S_UUID],
            volume_name=raw[ext2.S_VOLUME_NAME],
            desc_size=u16(ext2.S_DESC_SIZE) if wide else ext2.DESC_SIZE,
            first_meta_bg=u32(ext2.S_FIRST_META_BG),
            backup_bgs=(u32(ext2.S_BACKUP_BGS), u32(ext2.S_BACKUP_BGS + 4)),
            creator_os=u32(ext2.S_CREATOR_OS),
        )
        return block

    def check(self) -> None:
        """Raise Damaged when the fields do not allow files to be found."""
        if not self.inodes_per_group or not self.blocks_per_group:
            raise Damaged("inodes or blocks per group are 0")
        if (
            self.inode_size < ext2.GOOD_OLD_INODE_SIZE
            or self.inode_size > self.block_size
            or self.inode_size & (self.inode_size - 1)
        ):
            raise Damaged(f"an inode size of {self.inode_size} bytes")
        if self.desc_size < ext2.DESC_SIZE or self.desc_size > self.block_size or self.desc_size & (self.desc_size - 1):
            raise Damaged(f"a group descriptor size of {self.desc_size} bytes")

    @property
    def features(self) -> tuple[str, ...]:
        """The features under the names that dumpe2fs prints."""
        return features.feature_names(self.compat, self.incompat, self.ro_compat)
