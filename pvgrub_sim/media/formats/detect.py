"""What wraps an image, told by its content.

The first bytes of a raw image belong to the guest, who may write there whatever looks like another format. The rule:

1. What a format's own rules say of its header must hold (version, sizes, checksum), not only its magic number.
2. Where the bytes as they lie are a disk that PV-GRUB would see something on (a sound MBR, or a filesystem that one of
   its drivers knows at the start), they are taken as they lie. A format whose data is the guest's from byte 0 on and
   which only adds a footer (a fixed VHD) is no contradiction to that.
3. A raw image that passes neither is of no use to PV-GRUB anyway; whatever it then names is opened only within the
   rules of formats/beside.py. `--image-format raw` has the last word.
"""

from __future__ import annotations

import re
import struct

from pvgrub_sim.media.disk import SECTOR_SIZE, Disk, ForwardOnly, read_upto
from pvgrub_sim.typed import Final

HEAD: Final = 68 << 10
"""Bytes from the start that are looked at: as far as the superblocks of PV-GRUB's filesystems reach."""

_MAGIC: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = tuple(
    (name, re.compile(pattern, re.S))
    for name, pattern in (
        ("qcow2", rb"QFI\xfb\0\0\0[\x02\x03]"),
        ("qcow", rb"QFI\xfb\0\0\0\x01"),
        ("qed", rb"QED\0"),
        ("vmdk", rb"KDMV[\x01-\x03]\0\0\0|COWD\x01\0\0\0|\s*#\s*Disk\ DescriptorFile"),
        ("sesparse", rb"\xbe\xba\xfe\xca\0\0\0\0"),
        ("vhd", rb"conectix"),
        ("vhdx", rb"vhdxfile"),
        ("vdi", rb".{64}\x7f\x10\xda\xbe"),
        ("gzip", rb"\x1f\x8b\x08[\0-\x1f]"),
        ("xz", rb"\xfd7zXZ\0\0[\0-\x0f]"),
        ("zstd", rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
        ("bzip2", rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
        ("lz4", rb"\x04\x22\x4d\x18"),
        ("lz4-legacy", rb"\x02\x21\x4c\x18"),
        ("lzop", rb"\x89LZO\0\r\n\x1a\n"),
        ("lzip", rb"LZIP[\0\x01]"),
        ("7z", rb"7z\xbc\xaf\x27\x1c"),
        ("rar", rb"Rar!\x1a\x07"),
        ("zip", rb"PK\x03\x04|PK\x05\x06"),
        ("xva", rb"ova\.xml\0"),
        ("tar", rb".{257}ustar(?:\0|\ \ \0)"),
        ("luks", rb"LUKS\xba\xbe\0[\x01\x02]"),
        ("parallels", rb"WithoutFreeSpace|WithouFreSpacExt"),
        ("ewf", rb"[EL]VF[\x09]\x0d\x0a\xff\0|[EL][VE]F2\r\n\x81\0"),
        ("vma", rb"VMA\0"),
        ("wim", rb"MSWIM\0\0\0"),
        ("android-sparse", rb"\x3a\xff\x26\xed\x01\0"),
        ("bochs", rb"Bochs\ Virtual\ HD\ Image"),
        ("bundle", rb"(?:\s*<\?xml[^>]*>)?\s*<manifest>"),
    )
)
"""Format: what its first sector begins with."""

_SUPERBLOCKS: Final = (
    (8192 + 52, b"ReIsEr"),
    (65536 + 52, b"ReIsEr"),
    (32768, b"JFS1"),
    (32768, b"\x01CD001\x01"),
    (8192 + 1372, b"\x54\x19\x01\x00"),  # UFS1
    (65536 + 1372, b"\x19\x01\x54\x19"),  # UFS2
)
"""Byte offset and magic number of the filesystems that PV-GRUB reads, where byte 0 can be anything."""


def detect(disk: Disk) -> str:
    """The name of the format that wraps an image, `raw` where nothing does; raises ImageError on a failed read."""
    head = read_upto(disk, 0, HEAD)
    name = recognised(head)
    if name:
        return "raw" if seen_by_grub(head) else name
    if isinstance(disk, ForwardOnly) and ".vhd" not in disk.name.lower():
        # What stands at the end would cost all that stands before it: only worth it where there is a reason to look.
        return "raw"
    if disk.size > SECTOR_SIZE:
        tail = disk.read(disk.size - SECTOR_SIZE, SECTOR_SIZE)
        if tail.startswith(b"koly") and not seen_by_grub(head):
            return "dmg"
        if tail.startswith(b"conectix") and _sound_footer(tail):
            return "vhd"
    return "raw"


def recognised(head: bytes) -> str:
    """The name of the format whose files begin like that, empty where there is none."""
    return next((name for name, pattern in _MAGIC if pattern.match(head)), "")


def seen_by_grub(head: bytes) -> bool:
    """True when a disk that begins so has a partition table or a filesystem that PV-GRUB would see.

    The table as next_pc_slice() in stage2/disk_io.c takes it, and stricter: a partition must have a start, a length and
    a boot flag that is one. Filesystems by the magic numbers of GRUB's drivers, and where those are short by a few
    fields more, so that compressed bytes do not pass for them; XFS has its own where another format has its, and is
    left out.
    """
    if head[510:512] == b"\x55\xaa":
        entries = [head[at : at + 16] for at in range(446, 510, 16)]
        used = [entry for entry in entries if any(entry)]
        if used and all(entry[0] in (0, 0x80) and entry[4] and any(entry[8:12]) and any(entry[12:]) for entry in used):
            return True
    if any(head.startswith(magic, at) for at, magic in _SUPERBLOCKS):
        return True
    return len(head) >= 2048 and (_is_ext2(head) or _is_minix(head) or _is_fat(head))


def _is_ext2(head: bytes) -> bool:
    inodes, blocks = struct.unpack_from("<II", head, 1024)
    (log_block_size,) = struct.unpack_from("<I", head, 1048)
    (magic,) = struct.unpack_from("<H", head, 1080)
    return bool(magic == 0xEF53 and log_block_size <= 6 and inodes > 0 and blocks > 0)


def _is_minix(head: bytes) -> bool:
    _, _, imap_blocks, _, _, log_zone_size, _, magic = struct.unpack_from("<HHHHHHIH", head, 1024)
    return magic in (0x137F, 0x138F, 0x2468, 0x2478) and bool(0 < imap_blocks <= 64 and log_zone_size == 0)


def _is_fat(head: bytes) -> bool:
    sector, cluster, reserved, fats, _, _, media = struct.unpack_from("<HBHBHHB", head, 11)
    sizes = sector in (512, 1024, 2048, 4096) and cluster > 0 and cluster & (cluster - 1) == 0
    return bool(sizes) and bool(reserved > 0 and fats in (1, 2) and (media == 0xF0 or media >= 0xF8))


def _sound_footer(footer: bytes) -> bool:
    """True for the footer of a VHD: its checksum is the complement of the sum of its other bytes."""
    total = sum(footer) - sum(footer[64:68])
    return int.from_bytes(footer[64:68], "big") == ~total & 0xFFFFFFFF
