"""What fat_mount() in stage2/fsys_fat.c makes of a parameter block."""

from __future__ import annotations

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE
from pvgrub_sim.ondisk import fat
from pvgrub_sim.values import NamedTuple

MAX_12BIT_CLUSTERS = 4087


def _quotient(dividend: int, divisor: int) -> int:
    """C's division, which truncates towards zero; the divisor is positive."""
    return -(-dividend // divisor) if dividend < 0 else dividend // divisor


class Super(NamedTuple):
    """What fat_mount() works out (stage2/fsys_fat.c:struct fat_superblock), in sectors unless said otherwise.

    fat_size: half bytes of a table entry (3, 4, 8). eof: first value that ends a chain. root_max: bytes of the
    fixed root directory. root_cluster: -1 stands for that directory. clusters: number of the first cluster
    that does not exist. cluster_bits: log2 of a cluster's size in bytes.
    """

    fat_offset: int
    fat_size: int
    eof: int
    root_offset: int
    root_max: int
    root_cluster: int
    data_offset: int
    clusters: int
    cluster_bits: int


def read_super(bpb: fat.Bpb) -> Super | None:
    """The superblock that a parameter block describes, None when fat_mount() would refuse it."""
    size, per_cluster = bpb.bytes_per_sector, bpb.sectors_per_cluster
    if size != SECTOR_SIZE or not per_cluster or per_cluster & (per_cluster - 1):
        return None
    fat_offset = bpb.reserved_sectors
    fat_length = bpb.fat_sectors_16 or s32(bpb.fat_sectors_32)
    root_offset = s32(fat_offset + bpb.fats * fat_length)
    root_max = fat.ENTRY_SIZE * bpb.root_entries
    data_offset = s32(root_offset + ((root_max - 1) >> SECTOR_BITS) + 1)
    sectors = bpb.sectors_16 or s32(bpb.sectors_32)
    clusters = 2 + _quotient(s32(sectors - data_offset), per_cluster)
    if not bpb.fat_sectors_16:
        if bpb.root_entries:
            return None
        if bpb.flags & fat.FLAG_NO_MIRRORING:
            active = bpb.flags & fat.ACTIVE_FAT_MASK
            if active >= bpb.fats:
                return None
            fat_offset = s32(fat_offset + active * fat_length)
        fat_size, eof, root_cluster = 8, 0xFFFFFF8, s32(bpb.root_cluster)
    else:
        if not root_max:
            return None
        root_cluster = -1
        # QUIRK: FAT16 begins at 4088 clusters here (the two reserved ones counted), not at 4085 data clusters.
        fat_size, eof = (4, 0xFFF8) if clusters > MAX_12BIT_CLUSTERS else (3, 0xFF8)
    if clusters <= 2 or _quotient(s32(fat_size * clusters), 2 * SECTOR_SIZE) > fat_length:
        return None
    cluster_bits = SECTOR_BITS + per_cluster.bit_length() - 1
    return Super(fat_offset, fat_size, eof, root_offset, root_max, root_cluster, data_offset, clusters, cluster_bits)
