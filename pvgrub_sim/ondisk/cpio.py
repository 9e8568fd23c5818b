"""cpio archives, of which an initramfs is made (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

from pvgrub_sim.typed import Final

MAGICS: Final = (b"070701", b"070702")
"""newc, and newc with checksums, which Linux takes since 5.19."""
OLD_MAGIC: Final = b"070707"
"""The portable format before it, which Linux does not take."""
HEADER_SIZE: Final = 110
MODE: Final = slice(14, 22)
"""Fields of the header: hexadecimal digits."""
FILE_SIZE: Final = slice(54, 62)
NAME_SIZE: Final = slice(94, 102)
"""With the NUL."""
TRAILER: Final = b"TRAILER!!!"
LONGEST_NAME: Final = 4096
"""Linux's PATH_MAX."""
TYPE_MASK: Final = 0o170000
REGULAR: Final = 0o100000
