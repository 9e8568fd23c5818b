"""cpio archives, of which an initramfs is made (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

import re

from pvgrub_sim.typed import Final

MAGICS: Final = (b"070701", b"070702")
"""newc, and newc with checksums, which Linux takes since 5.19."""
OLD_MAGIC: Final = b"070707"
"""The portable format before it, which Linux does not take."""
HEADER_SIZE: Final = 110
MODE: Final = slice(14, 22)
"""Fields of the header: hexadecimal digits, as number() reads them."""
FILE_SIZE: Final = slice(54, 62)
NAME_SIZE: Final = slice(94, 102)
"""With the NUL."""
TRAILER: Final = b"TRAILER!!!"
LONGEST_NAME: Final = 4096
"""Linux's PATH_MAX."""
TYPE_MASK: Final = 0o170000
REGULAR: Final = 0o100000

_DIGITS: Final = re.compile(rb"(?:0[xX])?([0-9a-fA-F]*)")


def number(field: bytes) -> int:
    """A field's value: that of the digits up to the first byte that is none, 0 where it begins with another.

    As simple_strtoul() reads it (Linux, init/initramfs.c:parse_header, lib/kstrtox.c): no blanks, no sign.
    """
    try:
        if field.isalnum():
            return int(field, 16)
    except ValueError:
        pass
    found = _DIGITS.match(field)
    return int(found[1] or b"0", 16) if found else 0
