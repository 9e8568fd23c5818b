"""How GRUB cuts a path into names (the loop at the top of most *_dir() functions).

All drivers cut alike: slashes are skipped, a name ends at a slash, and the path at white space or NUL. They differ in
what they cut: XFS and JFS put a link's target and the rest of the path into one buffer, so that one may overwrite the
other; UFS, FAT, VSTa's and ISO 9660 follow no links.
"""

from __future__ import annotations

from pvgrub_sim.grub.words import end_of
from pvgrub_sim.typed import Final

WHITE_SPACE: Final = b" \t\n\v\f\r"
"""What isspace() takes for white space: that of Mini-OS's C library, as stubdom/grub/Makefile has
WITHOUT_LIBC_STUBS; GRUB's own grub_isspace() (stage2/char_io.c), which knows neither \\v nor \\f, is not used here."""

_ENDS_PATH: Final = WHITE_SPACE + b"\0"
_ENDS_NAME: Final = _ENDS_PATH + b"/"

DOTS: Final = frozenset({b".", b".."})
"""Names that are never shown as completions (stage2/disk_io.c:print_a_completion)."""


def ends(path: bytes | bytearray, at: int) -> bool:
    """True when a path is over at this index: its end, white space or a NUL."""
    return at >= len(path) or path[at] in _ENDS_PATH


def skip_slashes(path: bytes | bytearray, at: int) -> int:
    """The index of the first byte from `at` on that is no slash."""
    while path[at : at + 1] == b"/":
        at += 1
    return at


def next_name(path: bytes | bytearray, at: int) -> tuple[bytes, int]:
    """The name that begins at an index, and the index behind it (of a slash or of the path's end)."""
    end = end_of(path, _ENDS_NAME, at)
    return bytes(path[at:end]), end


def rest_of(path: bytes | bytearray, at: int = 0) -> bytes:
    """What is left of a path from an index on: up to white space or a NUL."""
    return bytes(path[at : end_of(path, _ENDS_PATH, at)])


def c_string(data: bytes) -> bytes:
    """The bytes up to the first NUL."""
    return data.partition(b"\0")[0]
