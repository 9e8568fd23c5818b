"""The gate: which texts of an image may stand in a command, and how the others are shown."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.safetext import disarmed
from pvgrub_sim.typed import Final

LONGEST: Final = 2048
"""Bytes of a text in a command: debugfs takes the 8192nd byte of a line for the first of another command."""
_QUOTING: Final = frozenset("\"'`\\")


class NotPlain(Exception):
    """A text that does not go into a command; text: which."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


def is_plain(text: str) -> bool:
    """True for a text that means the same to a person, to every shell and to every tool that it is given to.

    Not so: control and format characters (newline, NUL, C1, marks of writing direction), bytes that are not UTF-8,
    quotes and backslashes, what an option or a shell escape of debugfs begins with, ways out of a folder, and texts
    longer than a tool's line.
    """
    return (
        bool(text)
        and text.isprintable()
        and not text.startswith(("-", "!"))
        and _QUOTING.isdisjoint(text)
        and ".." not in text.split("/")
        and len(text.encode()) <= LONGEST
    )


def plain(text: str) -> str:
    """The text itself; raises NotPlain for one that must not stand in a command."""
    if not is_plain(text):
        raise NotPlain(text)
    return text


def word(text: str) -> str:
    """A text of an image as one word of a shell; raises NotPlain."""
    return _quote(plain(text))


def _quote(text: str) -> str:
    # Most images need no command.
    from shlex import quote

    return quote(text)


def host_word(path: str) -> str:
    """A path of the host's as one word of a shell, never an option; raises NotPlain for what cannot be shown."""
    if not path.isprintable():
        raise NotPlain(path)
    return _quote(f"./{path}" if path.startswith("-") else path)


def shown(text: str) -> str:
    """Any text on one line, for a person: what cannot be printed, and backslashes, as \\xNN or \\uNNNN."""
    return "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in text)


def shown_word(text: str) -> str:
    """Any text as one word of a command that is shown as advice and not run."""
    return _quote(shown(text))


def comment(lines: Iterable[str]) -> str:
    """Words for people, as a shell's comments."""
    return "\n".join(f"# {disarmed(shown(line))}" for line in lines)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if character == "\\":
        return "\\\\"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
