"""What was on the Xen console, as text: the screens that PV-GRUB drew, one below another."""

from __future__ import annotations

import re

_TOKENS = re.compile(rb"\x1b\[(?P<numbers>[0-9;]*)(?P<letter>[A-Za-z])|[^\x1b\r\n\b\x07]+|.", re.S)
_FARTHEST = 4096
"""Rows and columns at which cursor addresses end: those of a menu's own `terminfo` may be any."""


class _Screens:
    """A sheet of any height for each screen; what is cleared from the top on begins another."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._rows: dict[int, bytearray] = {}
        self._x = self._y = self._bottom = 0

    def put(self, text: bytes) -> None:
        row = self._rows.setdefault(self._y, bytearray())
        row.extend(b" " * (self._x - len(row)))
        row[self._x : self._x + len(text)] = text
        self._x += len(text)
        self._bottom = max(self._bottom, self._y)

    def control(self, code: bytes) -> None:
        if code == b"\r":
            self._x = 0
        elif code == b"\n":
            self._y += 1
            self._bottom = max(self._bottom, self._y)
        elif code == b"\b":
            self._x = max(self._x - 1, 0)
        elif code != b"\x07":
            self.put(code)

    def sequence(self, numbers: bytes, letter: bytes) -> None:
        if letter == b"H":
            words = [min(int(word[:9] or b"1"), _FARTHEST) for word in (*numbers.split(b";"), b"")[:2]]
            self._y, self._x = (max(word, 1) - 1 for word in words)
        elif letter == b"J" and self._x == self._y == 0:
            self.finish()

    def finish(self) -> None:
        """The screen is over."""
        if self._rows:
            rows = (self._rows.get(y, b"").decode("utf-8", "backslashreplace") for y in range(self._bottom + 1))
            self._done.append("\n".join(rows).rstrip("\n"))
        self._rows = {}
        self._x = self._y = self._bottom = 0

    def text(self) -> str:
        self.finish()
        return "".join(screen + "\n" for screen in self._done)


def console_text(transcript: bytes) -> str:
    """All that the Xen console showed, as text: each screen as it was when it was cleared, one below another.

    transcript: as in a Verdict. Trailing blanks are kept; what is no UTF-8 becomes \\xNN. The text may hold control
    characters of the image: printable() escapes them.
    """
    screens = _Screens()
    for token in _TOKENS.finditer(transcript):
        if token["letter"]:
            screens.sequence(token["numbers"], token["letter"])
        elif token[0] in (b"\r", b"\n", b"\b", b"\x07"):
            screens.control(token[0])
        else:
            screens.put(token[0])
    return screens.text()
