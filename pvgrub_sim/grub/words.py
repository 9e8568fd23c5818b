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
