"""Filesystems of which the survey reads the superblock only: JFS, ReiserFS, btrfs, minix, UFS, NTFS and others."""

from __future__ import annotations

from pvgrub_sim.survey.area import Area, text_of, uuid_of
from pvgrub_sim.survey.result import Content, ContentKind
from pvgrub_sim.typed import Any, Final

_MINIX: Final = {
    0x137F: ("1", "14-character names"),
    0x138F: ("1", "30-character names"),
    0x2468: ("2", "14-character names"),
    0x2478: ("2", "30-character names"),
}

_UFS: Final = {0x011954: "1", 0x19540119: "2"}
_UFS_PLACES: Final = (65536, 8192, 0, 262144)


def _le(raw: bytes, at: int, width: int = 4) -> int:
    return int.from_bytes(raw[at : at + width], "little")


def _filesystem(kind: str, version: str = "", **fields: Any) -> Content:
    return Content(ContentKind.FILESYSTEM, kind, version, **fields)


def probe_jfs(area: Area) -> Content | None:
    """JFS (Linux, fs/jfs/jfs_superblock.h)."""
    raw = area.peek(0x8000, 184)
    if len(raw) < 184 or raw[:4] != b"JFS1":
        return None
    # FM_CLEAN; FM_MOUNT: mounted, or never unmounted; FM_DIRTY and FM_LOGREDO: only fsck helps.
    state = {0: "clean", 1: "needs recovery"}.get(_le(raw, 40), "errors")
    return _filesystem(
        "jfs",
        str(_le(raw, 4)),
        # Version 1 kept its name elsewhere.
        label=text_of(raw[152:168]) if _le(raw, 4) > 1 else text_of(raw[101:112]),
        uuid=uuid_of(raw[136:152]),
        size=_le(raw, 8, 8) * 512,
        block_size=_le(raw, 16),
        state=state,
    )


def probe_reiserfs(area: Area) -> Content | None:
    """ReiserFS 3.5 and 3.6 (Linux, fs/reiserfs/reiserfs.h: struct reiserfs_super_block)."""
    for at in (0x10000, 0x2000):
        raw = area.peek(at, 204)
        magic = text_of(raw[52:62])
        if len(raw) == 204 and magic in ("ReIsErFs", "ReIsEr2Fs", "ReIsEr3Fs"):
            new = magic != "ReIsErFs"
            if _le(raw, 62, 2):
                state = "errors"
            else:
                state = "needs recovery" if _reiserfs_journal(area, raw) else "clean"
            return _filesystem(
                "reiserfs",
                "3.6" if magic == "ReIsEr2Fs" or _le(raw, 72, 2) == 2 else "3.5",
                label=text_of(raw[100:116]) if new else "",
                uuid=uuid_of(raw[84:100]) if new else "",
                size=_le(raw, 0) * _le(raw, 44, 2),
                block_size=_le(raw, 44, 2),
                state=state,
            )
    return None


def _reiserfs_journal(area: Area, raw: bytes) -> bool:
    """True when the journal holds a whole transaction that was not written to its places yet.

    As Linux, fs/reiserfs/journal.c: journal_read(); only the first one is looked for.
    """
    first, device, size = _le(raw, 12), _le(raw, 16), _le(raw, 20)
    block = _le(raw, 44, 2)
    header = area.peek((first + size) * block, 16)
    if device or len(header) < 16 or not size or block < 512:
        return False
    flushed, offset, mount = _le(header, 0), _le(header, 4), _le(header, 8)
    description = area.peek((first + offset % size) * block, block)
    if len(description) < block or description[-12:-4] != b"ReIsErLB":
        return False
    transaction, length = _le(description, 0), _le(description, 4)
    commit = area.peek((first + (offset + length + 1) % size) * block, 8)
    whole = len(commit) == 8 and commit == description[:8]
    return whole and transaction > flushed and _le(description, 8) >= mount


def probe_btrfs(area: Area) -> Content | None:
    """btrfs; its log tree, where there is one, is what a mount would replay."""
    if area.peek(0x10040, 8) != b"_BHRfS_M":
        return None
    from pvgrub_sim.ondisk import btrfs

    raw = area.peek(btrfs.OFFSET, 4096)
    if len(raw) < btrfs.SUPERBLOCK.sizeof():
        return None
    block = btrfs.SUPERBLOCK.parse(raw)
    features = [
        btrfs.INCOMPAT.get(1 << bit, f"incompat_0x{1 << bit:x}") for bit in range(64) if block.incompat_flags >> bit & 1
    ]
    return _filesystem(
        "btrfs",
        label=text_of(block.label),
        uuid=uuid_of(block.fsid),
        size=block.total_bytes,
        block_size=block.sectorsize,
        state="needs recovery" if block.log_root else "clean",
        features=tuple(features),
        detail={"devices": block.num_devices},
    )


def probe_minix(area: Area) -> Content | None:
    """minix, versions 1 to 3 (Linux, include/uapi/linux/minix_fs.h)."""
    raw = area.peek(1024, 32)
    if len(raw) < 32:
        return None
    if _le(raw, 24, 2) == 0x4D5A:
        return _filesystem("minix", "3", size=_le(raw, 20) * _le(raw, 28, 2), block_size=_le(raw, 28, 2))
    version, names = _MINIX.get(_le(raw, 16, 2), ("", ""))
    if not version or not _le(raw, 0, 2) or not _le(raw, 4, 2) or not _le(raw, 6, 2):
        return None
    zones = _le(raw, 2, 2) if version == "1" else _le(raw, 20)
    state = _le(raw, 18, 2)
    return _filesystem(
        "minix",
        version,
        size=(zones << min(_le(raw, 10, 2), 16)) * 1024,
        block_size=1024,
        state="errors" if state & 2 else "clean" if state & 1 else "not clean",
        features=(names,),
    )


def probe_ufs(area: Area) -> Content | None:
    """UFS1 and UFS2 (FreeBSD, sys/ufs/ffs/fs.h: struct fs)."""
    for at in _UFS_PLACES:
        raw = area.peek(at, 1376)
        version = _UFS.get(_le(raw, 1372))
        if version is not None:
            return _filesystem(
                "ufs",
                version,
                label=text_of(raw[680:712]) if version == "2" else "",
                uuid=f"{_le(raw, 144):08x}{_le(raw, 148):08x}" if any(raw[144:152]) else "",
                block_size=_le(raw, 48),
                state="clean" if raw[209] else "not clean",
            )
    return None


_ZFS_RING: Final = 128 << 10
_ZFS_MAGIC: Final = (b"\x0c\xb1\xba\0\0\0\0\0", b"\0\0\0\0\0\xba\xb1\x0c")


def probe_others(area: Area) -> Content | None:
    """What no boot loader of that age reads, named so that a report can say it."""
    first = area.peek(0, 512)
    if first[3:11] == b"NTFS    ":
        return _filesystem("ntfs", uuid=f"{_le(first, 72, 8):016X}", block_size=_le(first, 11, 2))
    if first[3:11] == b"EXFAT   ":
        serial = _le(first, 100)
        return _filesystem("exfat", uuid=f"{serial >> 16:04X}-{serial & 0xFFFF:04X}")
    if first[:4] == b"hsqs":
        return _filesystem("squashfs", f"{_le(first, 28, 2)}.{_le(first, 30, 2)}", block_size=_le(first, 12))
    if first[32:36] == b"NXSB":
        return _filesystem("apfs", uuid=uuid_of(first[72:88]))
    for label in (0, 1):
        # vdev_label: 112 KiB of names and values behind 16 KiB, then a ring of uberblocks (OpenZFS, vdev_impl.h).
        for block in area.peek_each((label * 2 + 1) * _ZFS_RING, 1024, 128, 16):
            if block[:8] in _ZFS_MAGIC:
                version = int.from_bytes(block[8:], "little" if block[0] else "big")
                return _filesystem("zfs_member", str(version))
    second = area.peek(1024, 512)
    if second[6:8] == b"\x34\x34":
        return _filesystem("nilfs2")
    if second[:4] == b"\x10\x20\xf5\xf2":
        return _filesystem("f2fs", f"{_le(second, 4, 2)}.{_le(second, 6, 2)}", uuid=uuid_of(second[108:124]))
    if second[:2] in (b"H+", b"HX"):
        return _filesystem("hfsplus", str(int.from_bytes(second[2:4], "big")))
    return None
