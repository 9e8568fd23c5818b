"""Flat images with Xen's multiboot-like table (tools/libs/guest/xg_dom_binloader.c), the loader that is asked first."""

from __future__ import annotations

import struct

from pvgrub_sim.values import NamedTuple

MAGIC = 0x336EC578
"""`xEn3` with the high bit of the E set (XEN_MULTIBOOT_MAGIC3)."""
SEARCHED = 8192
"""Bytes from the start of the file in which the table must begin, 4-aligned."""
_TABLE = struct.Struct("<8I")
_WORD = 0xFFFFFFFF
FLAG_ALIGN_4K = 1
FLAG_ADDRESSES_VALID = 0x10000
PAE_SHIFT = 14
PAE_MASK = 3 << PAE_SHIFT
# Kernels of type 3 find out about PAE themselves; every Xen that PV-GRUB runs on has it.
GUEST_TYPES = ("xen-3.0-x86_32", "xen-3.0-x86_32p", "xen-3.0-x86_64", "xen-3.0-x86_32p")


class FlatRefused(Exception):
    """The table is there, and wrong; text: what is said, message: its name in profiles/source_lines.py."""

    def __init__(self, text: str, message: str) -> None:
        super().__init__(text)
        self.text = text
        self.message = message


class FlatTable(NamedTuple):
    """The table (struct xen_bin_image_table): where it lies, in bytes, and its fields."""

    at: int
    flags: int
    header_addr: int
    load_addr: int
    load_end_addr: int
    bss_end_addr: int
    entry_addr: int


def find_table(image: bytes) -> FlatTable | None:
    """The first table with a good checksum among the places that are looked at, or None."""
    size = len(image)
    if size < _TABLE.size:
        return None
    # QUIRK: in a small file the last possible place is not looked at.
    end = SEARCHED if size > SEARCHED + _TABLE.size else size - _TABLE.size
    at = -1
    while (at := image.find(MAGIC.to_bytes(4, "little"), at + 1, end + 3)) >= 0:
        if at % 4 or at >= end:
            continue
        magic, flags, checksum, *addresses = _TABLE.unpack_from(image, at)
        if not (magic + flags + checksum) & _WORD:
            return FlatTable(at, flags, *addresses)
    return None


def check_table(table: FlatTable, size: int, bits: int) -> tuple[str, int, int]:
    """The guest type, start and end address of an image of size bytes; raises FlatRefused (xc_dom_parse_bin_kernel).

    bits: width of PV-GRUB's size_t.
    """
    checked = table.flags & _WORD & ~FLAG_ALIGN_4K & ~PAE_MASK
    if checked != FLAG_ADDRESSES_VALID:
        raise FlatRefused(
            f"xen_bin_image_table flags required 0x{FLAG_ADDRESSES_VALID:08x} found 0x{checked:08x}", "flags"
        )
    if table.header_addr < table.load_addr or table.at < table.header_addr - table.load_addr:
        raise FlatRefused("Invalid header_addr.", "header")
    start = (table.header_addr - table.at) & _WORD
    file_end = start + size & ((1 << bits) - 1)
    load_end = table.load_end_addr or file_end & _WORD
    bss_end = table.bss_end_addr or load_end
    if file_end < load_end:
        raise FlatRefused("Invalid load_end_addr.", "load_end")
    if bss_end < load_end:
        raise FlatRefused("Invalid bss_end_addr.", "bss_end")
    return GUEST_TYPES[(table.flags & PAE_MASK) >> PAE_SHIFT], table.load_addr, bss_end
