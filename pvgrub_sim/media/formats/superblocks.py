"""Superblocks of PV-GRUB's filesystems that lie where byte 0 can be anything, and how large they say they are."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple


class Superblock(NamedTuple):
    """One kind: where its magic number stands, in bytes, the number, and what gives the filesystem's bytes."""

    at: int
    magic: bytes
    size: Callable[[bytes], int]


def _number(head: bytes, at: int, width: int = 4) -> int:
    return int.from_bytes(head[at : at + width], "little")


def _reiserfs(at: int) -> Callable[[bytes], int]:
    """s_block_count and s_blocksize of linux/fs/reiserfs."""
    return lambda head: _number(head, at) * _number(head, at + 44, 2)


SUPERBLOCKS: Final = (
    Superblock(8192 + 52, b"ReIsEr", _reiserfs(8192)),
    Superblock(65536 + 52, b"ReIsEr", _reiserfs(65536)),
    # s_size, in blocks of s_pbsize (linux/fs/jfs/jfs_superblock.h).
    Superblock(32768, b"JFS1", lambda head: _number(head, 32776, 8) * _number(head, 32792)),
    # The volume's space and its logical blocks (ECMA-119, 8.4.8 and 8.4.12).
    Superblock(32768, b"\x01CD001\x01", lambda head: _number(head, 32768 + 80) * _number(head, 32768 + 128, 2)),
    # UFS1 and UFS2: fs_old_size and fs_size, in fragments of fs_fsize (FreeBSD, sys/ufs/ffs/fs.h).
    Superblock(8192 + 1372, b"\x54\x19\x01\x00", lambda head: _number(head, 8192 + 36) * _number(head, 8192 + 52)),
    Superblock(
        65536 + 1372, b"\x19\x01\x54\x19", lambda head: _number(head, 65536 + 1080, 8) * _number(head, 65536 + 52)
    ),
)


def superblock(head: bytes) -> Superblock | None:
    """The first of them that a disk begins with."""
    return next((one for one in SUPERBLOCKS if head.startswith(one.magic, one.at)), None)
