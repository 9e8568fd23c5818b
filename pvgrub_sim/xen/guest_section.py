"""The section `__xen_guest`, by which kernels spoke to Xen before there were notes (libelf-dominfo.c)."""

from __future__ import annotations

import re

from pvgrub_sim.xen.elf import ElfImage
from pvgrub_sim.xen.xen_info import STRING_KEPT, UNSET, XenInfo, parse_features

_GUEST_ITEM = (
    rb"(?P<cut>[^\0,=]{31})|(?P<name>[^\0,=]{0,30})(?:,|=(?:(?P<long>[^\0,]{127})|(?P<value>[^\0,]{0,126}),?)|\Z)"
)
_PASSED_ITEMS = (
    rb"(?:(?!(?:LOADER|GUEST_OS|GUEST_VER|XEN_VER|PAE|FEATURES|BSD_SYMTAB|VIRT_BASE|VIRT_ENTRY|ELF_PADDR_OFFSET"
    rb"|HYPERCALL_PAGE)[,=])[^\0,=]{0,30}(?:,|=[^\0,]{0,126},))*+"
)
"""Items, whole ones, that nobody asks for."""
_NUMBERS = {
    b"VIRT_BASE": "virt_base",
    b"VIRT_ENTRY": "virt_entry",
    b"ELF_PADDR_OFFSET": "paddr_offset",
    b"HYPERCALL_PAGE": "",
}
"""Items that are numbers, and the field of XenInfo that takes them."""
LONGEST_PIECE = 1 << 16
_STRTOULL = rb"[ \t-\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)"
# Compiled only when a kernel has such a section.


def c_number(text: bytes) -> int:
    """C's strtoull(text, NULL, 0)."""
    match = re.match(_STRTOULL, text)
    if match is None:
        return 0
    sign, digits = match.groups()
    if digits[:2] in {b"0x", b"0X"}:
        value = int(digits, 16)
    elif digits.startswith(b"0"):
        octal = re.match(rb"[0-7]*", digits)
        value = int(octal.group() or b"0", 8) if octal else 0
    else:
        value = int(digits)
    if value > UNSET:
        return UNSET
    return -value & UNSET if sign == b"-" else value


def _behind_copies(text: bytes, start: int, end: int) -> int:
    """Where the copies of an item end that follow it: they say nothing new, and a hostile kernel has a million."""
    size = end - start
    piece = text[start:end]
    while size and len(piece) >= size:
        if text.startswith(piece, end):
            end += len(piece)
            piece += piece if len(piece) < LONGEST_PIECE else b""
        else:
            # Half of the copies, which is none when there is one.
            piece = piece[: len(piece) // size // 2 * size]
    return end


def take_guest_section(elf: ElfImage, start: int, info: XenInfo) -> None:
    """Take in the string of a `__xen_guest` section (elf_xen_parse_guest_info)."""
    at = start - elf.base
    if not 0 <= at < len(elf.data):
        return
    text = elf.data.read(at, len(elf.data) - at)
    text = text[: end if (end := text.find(b"\0")) >= 0 else len(text)]
    position = 0
    item, passed = re.compile(_GUEST_ITEM, re.DOTALL), re.compile(_PASSED_ITEMS, re.DOTALL)
    # An item longer than its buffer is cut, and the rest of it is taken for the next item.
    while position < len(text) and (match := item.match(text, position)):
        position = _behind_copies(text, match.start(), match.end())
        if (others := passed.match(text, position)) is not None:
            position = others.end()
        name = match["cut"] or match["name"]
        value = match["long"] or match["value"] or b""
        if name in {b"LOADER", b"GUEST_OS", b"GUEST_VER", b"XEN_VER", b"PAE", b"FEATURES"}:
            info.values[name.decode()] = value.decode("utf-8", "backslashreplace")
        if name in _NUMBERS:
            number = info.values[name.decode()] = c_number(value)
            if field := _NUMBERS[name]:
                setattr(info, field, number)
        match name:
            case b"LOADER":
                info.loader = value[:STRING_KEPT]
            case b"GUEST_OS":
                info.guest_os = value[:STRING_KEPT]
            case b"XEN_VER":
                info.xen_version = value[:STRING_KEPT]
            case b"PAE":
                if value == b"yes[extended-cr3]":
                    info.pae = "extended-cr3"
                elif value.startswith(b"yes"):
                    info.pae = "yes"
            case b"BSD_SYMTAB":
                info.bsd_symtab = True
            case b"FEATURES":
                # QUIRK: an unknown required feature only ends the parsing here; the image is not refused.
                if not parse_features(value, info, elf.loader):
                    return
