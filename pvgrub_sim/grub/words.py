"""How command lines are cut into words (stage2/cmdline.c, stage2/char_io.c)."""

from __future__ import annotations

import re

_TO_NEXT = re.compile(rb"[^ \t]*[ \t]*")
_TO_NEXT_OR_EQUAL = re.compile(rb"[^ \t=]*[ \t=]*")
_WORD = re.compile(rb"[^ \t\r\n]*")


def skip_to(text: bytes, *, after_equal: bool = False) -> bytes:
    """What stands behind the first word and its blanks; with after_equal, `=` counts as a blank (skip_to())."""
    found = (_TO_NEXT_OR_EQUAL if after_equal else _TO_NEXT).match(text)
    return text[found.end() :] if found else text


def first_word(text: bytes) -> bytes:
    """The text up to its first white space (what nul_terminate() leaves)."""
    found = _WORD.match(text)
    return found[0] if found else text


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
