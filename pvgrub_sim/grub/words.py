"""How command lines are cut into words (stage2/cmdline.c, stage2/char_io.c)."""

from __future__ import annotations


def end_of(text: bytes | bytearray, ends: bytes, start: int = 0) -> int:
    """The index of the first of these bytes from an index on; the text's length when there is none.

    Every start would pay for compiling a regular expression.
    """
    return min((at for at in (text.find(code, start) for code in ends) if at >= 0), default=len(text))


def skip_to(text: bytes, *, after_equal: bool = False) -> bytes:
    """What stands behind the first word and its blanks; with after_equal, `=` counts as a blank (skip_to())."""
    blanks = b" \t=" if after_equal else b" \t"
    return text[end_of(text, blanks) :].lstrip(blanks)


def first_word(text: bytes) -> bytes:
    """The text up to its first white space (what nul_terminate() leaves)."""
    return text[: end_of(text, b" \t\r\n")]


def is_substring(short: bytes, text: bytes) -> bool:
    """True when `text` begins with `short` (substring() <= 0 in stage2/char_io.c)."""
    return text.startswith(short)


def c_string(memory: bytes | bytearray, at: int = 0) -> bytes:
    """The string that begins at an index, up to its NUL."""
    end = memory.find(0, at)
    return bytes(memory[at : end if end >= 0 else len(memory)])


def copy_string(memory: bytearray, at: int, text: bytes) -> None:
    """Write a string and its NUL into memory, which keeps what lies behind it (grub_strcpy())."""
    memory.extend(bytes(max(at - len(memory), 0)))
    memory[at : at + len(text) + 1] = text + b"\0"
