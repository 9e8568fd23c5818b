"""What wraps an image, told by its content.

The first bytes of a raw image belong to the guest, who may write there whatever looks like another format. The rule:

1. What a format's own rules say of its header must hold (version, sizes, checksum), not only its magic number.
2. Where the bytes as they lie are a disk that PV-GRUB would see something on (a sound MBR, or a filesystem that one of
   its drivers knows at the start), they are taken as they lie. A format whose data is the guest's from byte 0 on and
   which only adds a footer (a fixed VHD) is no contradiction to that, nor is the superblock of a filesystem behind the
   header of a hypervisor's format, where the guest's data may lie: what decides is whether PV-GRUB would see something
   on the disk inside.
3. A raw image that passes neither is of no use to PV-GRUB anyway; whatever it then names is opened only within the
   rules of formats/beside.py. `--image-format raw` has the last word.
"""

from __future__ import annotations

import re
import struct

from pvgrub_sim.media.disk import SECTOR_SIZE, Disk, ForwardOnly, read_upto
from pvgrub_sim.media.formats.superblocks import superblock
from pvgrub_sim.typed import Final

HEAD: Final = 68 << 10
"""Bytes from the start that are looked at: as far as the superblocks of PV-GRUB's filesystems reach."""

_VMDK: Final = (
    rb"KDMV[\0-\x0f]\0\0\0|COWD\x01\0\0\0|\s*#\s*Disk\ Descriptor\ ?File"
    rb"|(?:[ \t\r]*(?:\#[^\n]*)?\n)*version=[1-3]\r?\n"
)
"""A descriptor has its comment, or any comments, or none, before its version (qemu, block/vmdk.c, vmdk_probe)."""
_CPIO: Final = rb"07070[127]|\xc7\x71.{5}[\x41\x81\xa1]|\x71\xc7.{4}[\x41\x81\xa1]"
"""The old binary format has two bytes only, in either order; behind them the mode says folder, file or link."""
_MAGIC: Final[tuple[tuple[str, int, tuple[bytes, ...], bytes], ...]] = (
    ("qcow", 0, (b"QFI\xfb\0\0\0\x01",), b""),
    ("qcow2", 0, (b"QFI\xfb",), b""),
    ("qed", 0, (b"QED\0",), b""),
    ("vmdk", 0, (b"KDMV", b"COWD", b"#", b"version="), _VMDK),
    ("sesparse", 0, (b"\xbe\xba\xfe\xca\0\0\0\0",), b""),
    ("vhd", 0, (b"conectix",), b""),
    ("vhdx", 0, (b"vhdxfile",), b""),
    ("vdi", 64, (b"\x7f\x10\xda\xbe",), b""),
    ("gzip", 0, (b"\x1f\x8b",), rb"\x1f\x8b[\0-\x08]"),
    ("xz", 0, (b"\xfd7zXZ\0",), b""),
    ("zstd", 0, (b"\x28\xb5\x2f\xfd", *(bytes((number,)) + b"\x2a\x4d\x18" for number in range(0x50, 0x60))), b""),
    ("bzip2", 0, (b"BZh",), rb"BZh[1-9]"),
    ("lz4", 0, (b"\x04\x22\x4d\x18",), b""),
    ("lz4-legacy", 0, (b"\x02\x21\x4c\x18",), b""),
    ("lzma", 0, (b"\x5d\0\0",), rb"\x5d\0\0..(?:\xff{8}|.{5}\0\0\0)"),
    ("cpio", 0, (b"070701", b"070702", b"070707", b"\xc7\x71", b"\x71\xc7"), _CPIO),
    ("compress", 0, (b"\x1f\x9d",), rb"\x1f\x9d[\x09-\x10\x89-\x90]"),
    ("zip-split", 0, (b"PK\x07\x08",), b""),
    ("lzop", 0, (b"\x89LZO\0\r\n\x1a\n",), b""),
    ("lzip", 0, (b"LZIP\0", b"LZIP\x01"), b""),
    ("7z", 0, (b"7z\xbc\xaf\x27\x1c",), b""),
    ("rar", 0, (b"Rar!\x1a\x07",), b""),
    ("zip", 0, (b"PK\x03\x04", b"PK\x05\x06"), b""),
    ("xva", 0, (b"ova.xml\0",), b""),
    ("tar", 257, (b"ustar\0", b"ustar  \0"), b""),
    ("luks", 0, (b"LUKS\xba\xbe\0\x01", b"LUKS\xba\xbe\0\x02"), b""),
    ("parallels", 0, (b"WithoutFreeSpace", b"WithouFreSpacExt"), b""),
    ("ewf", 0, (b"EV", b"LV", b"EE", b"LE"), rb"[EL]VF[\x09]\x0d\x0a\xff\0|[EL][VE]F2\r\n\x81\0"),
    ("vma", 0, (b"VMA\0",), b""),
    ("wim", 0, (b"MSWIM\0\0\0",), b""),
    ("android-sparse", 0, (b"\x3a\xff\x26\xed\x01\0",), b""),
    ("bochs", 0, (b"Bochs Virtual HD Image",), b""),
    ("package", 0, (b"!<arch>\n", b"\xed\xab\xee\xdb"), b""),
    ("elf", 0, (b"\x7fELF\x01", b"\x7fELF\x02"), b""),
    ("lrzip", 0, (b"LRZI\0",), b""),
    ("kernel", 514, (b"HdrS",), b""),
    ("bundle", 0, (b"<?xml", b"<manifest>"), rb"(?:\s*<\?xml[^>]*>)?\s*<manifest>"),
)
"""Format: at which byte it has one of which, and the expression that its start must match where that is not enough.

Such an expression may allow white space before them, and is compiled only for what comes as far as that."""

ZIP_END: Final = SECTOR_SIZE - 22
"""Where in the last sector a zip archive's end record begins."""
MOST_SKIPPED: Final = 100
"""Frames that zstd and lz4 skip, before one that says which of them it is."""
TEXT: Final = 512
"""Bytes that are all of a text where a file is one."""
_TEXT_BYTES: Final = bytes((*b"\t\n\f\r", *range(0x20, 0x7F), *range(0x80, 0x100)))
_MAPPED: Final = ("qcow2", "vmdk", "vhd", "vhdx", "vdi")
"""Formats whose files have the guest's data somewhere behind their headers."""
_BEHIND_HEADERS: Final = 2048
"""Bytes from the start that are never the guest's in those."""


def detect(disk: Disk) -> str:
    """The name of the format that wraps an image, `raw` where nothing does; raises ImageError on a failed read."""
    head = read_upto(disk, 0, HEAD)
    name = recognised(head)
    if name:
        if name == "zstd" and _is_skipped(head):
            name = _behind_skipped(disk)
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
        if tail.startswith(b"PK\x05\x06", ZIP_END) and any(tail[ZIP_END + 4 : ZIP_END + 8]) and not seen_by_grub(head):
            # The end record of an archive tells of an earlier part.
            return "zip-split"
    return "raw"


def recognised(head: bytes) -> str:
    """The name of the format whose files begin like that, empty where there is none."""
    text = head.lstrip()
    for name, at, begins, pattern in _MAGIC:
        if pattern:
            if text.startswith(begins) and re.match(pattern, head, re.S):
                return name
        elif head.startswith(begins, at):
            return name
    return "tar" if _is_tar(head) else _kind_of_text(head[:TEXT])


def _kind_of_text(head: bytes) -> str:
    """The kind of a text that may be taken for an image by mistake, empty for anything else."""
    if head.translate(None, _TEXT_BYTES):
        return ""
    if re.match(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html)\b", head, re.I | re.S):
        return "html"
    return "ovf" if re.search(rb"<(?:\w+:)?Envelope\b|<VirtualBox\b|(?m:^config\.version\s*=)", head) else ""


def _is_skipped(head: bytes) -> bool:
    return head.startswith(b"\x2a\x4d\x18", 1)


def _behind_skipped(disk: Disk) -> str:
    """zstd or lz4, which have the same frames that are skipped: as the first other one says."""
    at = 0
    for _ in range(MOST_SKIPPED):
        head = read_upto(disk, at, 8)
        if not _is_skipped(head) or len(head) < 8:
            return "lz4" if head.startswith(b"\x04\x22\x4d\x18") else "zstd"
        at += 8 + int.from_bytes(head[4:], "little")
    return "zstd"


def _is_tar(head: bytes) -> bool:
    """A header of before POSIX, or of a volume's label, has no magic number, but the sum of its bytes."""
    field = head[148:156].split(b"\0", 1)[0].strip(b" ")
    if len(head) < SECTOR_SIZE or not head[0] or not field or field.strip(b"01234567"):
        return False
    return sum(head[:148]) + 8 * 32 + sum(head[156:SECTOR_SIZE]) == int(field, 8)


def contested(disk: Disk) -> tuple[str, bool]:
    """The hypervisor's format whose header a disk has, if it is the guest's data that may be seen behind it.

    And whether it must be that: the filesystem is larger than the file, so that it lies on the disk inside.
    """
    head = read_upto(disk, 0, HEAD)
    name = recognised(head)
    if name not in _MAPPED or seen_by_grub(head[:_BEHIND_HEADERS]):
        return "", False
    found = superblock(head)
    # A size that is unknown would cost all of a compressed file.
    return name, found is not None and not isinstance(disk, ForwardOnly) and found.size(head) > disk.size


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
    if superblock(head) is not None:
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
