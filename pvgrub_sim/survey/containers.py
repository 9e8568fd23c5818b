"""What keeps its data out of a boot loader's sight: RAID members, encrypted volumes, swap."""

from __future__ import annotations

from pvgrub_sim.survey.area import Area, Damaged, text_of, uuid_of
from pvgrub_sim.survey.result import Content, ContentKind
from pvgrub_sim.typed import Final

SECTOR_SIZE: Final = 512
_MD_MAGIC: Final = (0xA92B4EFC).to_bytes(4, "little")
_SWAP_MAGIC: Final = (b"SWAPSPACE2", b"SWAP-SPACE")
_SUSPENDED: Final = (b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND")


def probe_raid(area: Area, *, end: bool = True) -> Content | None:
    """A member of a Linux software RAID, metadata 0.90, 1.0, 1.1 or 1.2 (Linux, drivers/md/md.c).

    end: whether to look at the end as well, where versions 0.90 and 1.0 lie.
    """
    at_090 = (area.size & ~0xFFFF) - 0x10000
    at_10 = (area.size // SECTOR_SIZE - 16 & ~7) * SECTOR_SIZE
    for version, at in (("1.1", 0), ("1.2", 4096), *((("1.0", at_10),) if end else ())):
        raw = area.peek(at, 4096)
        if raw[:4] == _MD_MAGIC and raw[4:8] == b"\x01\0\0\0" and int.from_bytes(raw[144:152], "little") * 512 == at:
            return _raid_1(raw, version)
    raw = area.peek(at_090, 4096) if end else b""
    if raw[:4] == _MD_MAGIC and raw[4:8] == bytes(4):
        return _raid_090(raw)
    return None


def _raid_1(raw: bytes, version: str) -> Content:
    from pvgrub_sim.ondisk.mdraid import SUPERBLOCK_1

    block = SUPERBLOCK_1.parse(raw)
    detail = {
        "level": block.level,
        "raid_disks": block.raid_disks,
        "data_offset": block.data_offset * SECTOR_SIZE,
        "metadata_at": "end" if version == "1.0" else "start",
    }
    return Content(
        ContentKind.RAID,
        "linux_raid_member",
        version,
        text_of(block.set_name),
        uuid_of(block.set_uuid),
        block.data_size * SECTOR_SIZE,
        detail=detail,
    )


def _raid_090(raw: bytes) -> Content:
    from pvgrub_sim.ondisk.mdraid import SUPERBLOCK_090

    block = SUPERBLOCK_090.parse(raw)
    words = block.set_uuid0 + block.set_uuid123
    # mdadm and blkid print the four words as numbers.
    uuid = b"".join(words[at : at + 4][::-1] for at in range(0, 16, 4))
    detail = {"level": block.level, "raid_disks": block.raid_disks, "data_offset": 0, "metadata_at": "end"}
    return Content(
        ContentKind.RAID,
        "linux_raid_member",
        f"0.{block.minor_version}.{block.patch_version}",
        uuid=uuid_of(uuid),
        size=block.size * 1024,
        detail=detail,
    )


def probe_lvm(area: Area) -> Content | None:
    """An LVM2 physical volume: its label is in one of the first four sectors (LVM2, lib/label/label.c)."""
    first = area.peek(0, 4 * SECTOR_SIZE)
    for at in range(0, 4 * SECTOR_SIZE, SECTOR_SIZE):
        if first[at : at + 8] == b"LABELONE" and first[at + 24 : at + 32] == b"LVM2 001":
            from pvgrub_sim.survey import lvm

            return lvm.read(area, at)
    return None


def probe_luks(area: Area) -> Content | None:
    """A LUKS volume, version 1 or 2."""
    raw = area.peek(0, 512)
    if len(raw) < 512 or raw[:6] != b"LUKS\xba\xbe":
        return None
    from pvgrub_sim.ondisk.luks import LUKS1, LUKS2

    version = int.from_bytes(raw[6:8], "big")
    if version == 1:
        one = LUKS1.parse(raw)
        cipher = f"{text_of(one.cipher_name)}-{text_of(one.cipher_mode)}"
        return Content(
            ContentKind.CRYPT,
            "crypto_LUKS",
            "1",
            uuid=text_of(one.uuid),
            detail={"cipher": cipher, "hash": text_of(one.hash_spec)},
        )
    two = LUKS2.parse(raw)
    problems = () if version == 2 else (f"LUKS version {version} is unknown",)
    return Content(
        ContentKind.CRYPT, "crypto_LUKS", str(version), text_of(two.label), text_of(two.uuid), problems=problems
    )


def probe_swap(area: Area) -> Content | None:
    """A swap area of any page size (Linux, include/linux/swap.h: union swap_header)."""
    for page in (4096, 8192, 16384, 32768, 65536):
        magic = area.peek(page - 10, 10)
        suspended = magic[:9] in _SUSPENDED
        if magic not in _SWAP_MAGIC and not suspended:
            continue
        version = "0" if magic == _SWAP_MAGIC[1] else "1"
        try:
            header = area.read(1024, 44)
        except Damaged:
            return None
        last = int.from_bytes(header[4:8], "little")
        return Content(
            ContentKind.SWAP,
            "swsuspend" if suspended else "swap",
            version,
            text_of(header[28:44]),
            uuid_of(header[12:28]),
            (last + 1) * page if last else None,
            page,
            "holds a hibernated system" if suspended else "",
        )
    return None
