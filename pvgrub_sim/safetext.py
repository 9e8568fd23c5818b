"""Text from images, file names and AWS as it may be shown: nothing in it steers a terminal or a CI runner.

Every text that this program did not write itself passes one of these functions on its way to a person.
"""

from __future__ import annotations

import re
from functools import cache

_UNPRINTABLE = (
    # C0 and C1 controls with DEL, the soft hyphen, the Arabic letter mark
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c"
    # what has no width or sets the direction of writing, separators of lines and paragraphs
    "\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    # what cannot be encoded, what is no character, tags and variation selectors that nobody sees
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff"
)
_COMMAND_LINE = r"(?m)^((?:[^\S\n]|\x1b\[[0-9;]*m)*):(?=:)"
"""GitHub's runner obeys a line whose first characters are `::`, blanks aside (actions/runner, ActionCommand.cs)."""
_COMMAND_ANYWHERE = r"#(?=#\w*\[)"
"""The runner obeys `##[`, and Azure's `##vso[`, anywhere in a line."""

LONGEST_WORD = 200
"""Characters of a word that are shown: names and types may be as long as the image's maker likes."""


def printable(text: str) -> str:
    """Text without anything that a terminal or a CI runner would obey: such characters are shown as escapes.

    text: what an image, a file name or a service says; newlines and tabs stay. Escaped are C0 and C1 controls, DEL,
    marks for the direction of writing, separators and characters that are not seen or cannot be encoded; `::` at the
    start of a line; `##[`.
    """
    if not text.isascii() or not text.replace("\n", "").replace("\t", "").isprintable():
        text = _pattern(f"[{_UNPRINTABLE}]").sub(_escape, text)
    return disarmed(text)


def one_line(text: str) -> str:
    """Text as printable() makes it, for a place that has one line only: newlines and tabs are escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def cut(text: str, most: int = LONGEST_WORD) -> str:
    """Text of an image for a message: as it is, or its beginning and its end where it is longer than any such word."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 4 :]}"


def quoted(word: str) -> str:
    """A word of an image, such as a file's name, in quotes and in one line; what is long is cut."""
    return repr(cut(word))


def disarmed(text: str) -> str:
    """Text in which a CI runner finds no command; all else stays. For whole reports, after lines were wrapped."""
    if "::" in text:
        text = _pattern(_COMMAND_LINE).sub(r"\1\\x3a", text)
    if "##" in text:
        text = _pattern(_COMMAND_ANYWHERE).sub(r"\\x23", text)
    return text


def disarmed_json(text: str) -> str:
    """JSON in which a CI runner finds no command: the same value to whoever parses it."""
    return text.replace("##", "#\\u0023")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compiled when it is first wanted: most texts are plain."""
    return re.compile(pattern)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
