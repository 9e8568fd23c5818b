"""Terminal capabilities as the `terminfo` command sets and shows them (stage2/terminfo.c, stage2/tparm.c)."""

from __future__ import annotations

import re
from collections.abc import Callable

TERMINFO_LEN = 40
"""Bytes of each of the five fields (stage2/terminfo.h:TERMINFO_LEN)."""

FIELDS = ("name", "cursor_address", "clear_screen", "enter_standout_mode", "exit_standout_mode")


_SIMPLE_ESCAPES = {
    ord("e"): b"\x1b", ord("E"): b"\x1b", ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b",
    ord("f"): b"\f", ord("s"): b" ", ord("\\"): b"\\", ord("^"): b"^", ord(","): b",", ord(":"): b":",
}  # fmt: skip


def unescape(text: bytes) -> bytes:
    """The bytes that a capability's notation stands for (ti_unescape_string())."""
    out = bytearray()
    caret: int | None = None
    at = 0

    def put(code: int) -> None:
        nonlocal caret
        caret = None
        out.append(code)

    while at < len(text):
        code = text[at]
        at += 1
        if code == ord("^"):
            # QUIRK: what stands for ^X is not stepped over, so the next character takes its place.
            caret = ord("^")
            if text[at : at + 1].isupper():
                caret = text[at] - ord("A")
                at += 1
        elif code == ord("\\"):
            number = re.compile(rb"\d*").match(text, at)
            if number and number[0]:
                # QUIRK: meant to be octal, shifted by four bits a digit.
                value = 0
                for digit in number[0]:
                    value = (value << 4 | (digit - ord("0"))) & 0xFF
                put(value)
                at = number.end()
            else:
                for plain in _SIMPLE_ESCAPES.get(text[at], b"") if at < len(text) else b"":
                    put(plain)
                at += 1
        else:
            put(code)
    return bytes(out).split(b"\0")[0]


_AS_IS = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%+-*/;:{}[]")


def escape(text: bytes) -> bytes:
    """A capability in the notation that `terminfo` prints (ti_escape_string())."""
    out = bytearray()
    # QUIRK: an empty string is taken to have its NUL in it.
    for code in text or b"\0":
        if code == 0x1B:
            out += b"\\e"
        elif code == ord(" "):
            out += b"\\s"
        elif code == ord("\\"):
            out += b"\\\\"
        elif code in _AS_IS:
            out.append(code)
        elif code <= 25:
            out += bytes((ord("^"), ord("A") + code))
        else:
            # QUIRK: digits of four bits, cut to three; a negative char's sign is the first one.
            out += b"\\%d%d%d" % (7 if code > 127 else 0, (code >> 4) & 7, code & 7)
    return bytes(out)


_BINARY: dict[int, Callable[[int, int], int]] = {
    ord("+"): lambda a, b: a + b,
    ord("-"): lambda a, b: a - b,
    ord("*"): lambda a, b: a * b,
    ord("/"): lambda a, b: int(a / b) if b else 0,
    ord("m"): lambda a, b: a - int(a / b) * b if b else 0,
    ord("A"): lambda a, b: int(bool(a and b)),
    ord("O"): lambda a, b: int(bool(a or b)),
    ord("&"): lambda a, b: a & b,
    ord("|"): lambda a, b: a | b,
    ord("^"): lambda a, b: a ^ b,
    ord("="): lambda a, b: int(a == b),
    ord("<"): lambda a, b: int(a < b),
    ord(">"): lambda a, b: int(a > b),
}


_PRINT = rb"%(?::[-+]*)?[# ]*\d*(?:\.\d+)?([doxXcs])"
"""What prints the number on top of the stack, with its width and precision, which do not count here."""


def tparm(text: bytes, *given: int) -> bytes:
    """A capability with its parameters put in (grub_tparm()): a small stack machine, see terminfo(5)."""
    return _Program(text, given).run()


class _Program:
    """One run of a capability."""

    def __init__(self, text: bytes, given: tuple[int, ...]) -> None:
        self.text = text
        self.at = 0
        self.parameters = [*given, *([0] * 9)]
        self.variables: dict[int, int] = {}
        self.stack: list[int] = []
        self.out = bytearray()

    def run(self) -> bytes:
        """All of it, from the beginning to the end; returns what it prints."""
        text = self.text
        while self.at < len(text):
            if text[self.at] != ord("%"):
                self.out.append(text[self.at])
                self.at += 1
            elif number := re.compile(_PRINT).match(text, self.at):
                self.at = number.end()
                self._print(number[1])
            else:
                word, argument = self._byte(self.at + 1), self._byte(self.at + 2)
                self.at += 2
                if word in _BINARY:
                    right, left = self._pop(), self._pop()
                    self.stack.append(_BINARY[word](left, right) & 0xFFFFFFFF)
                elif word in b"pg'{":
                    self._push(word, argument)
                else:
                    self._execute(word, argument)
        return bytes(self.out)

    def _byte(self, at: int) -> int:
        return self.text[at] if at < len(self.text) else 0

    def _pop(self) -> int:
        return self.stack.pop() if self.stack else 0

    def _print(self, kind: bytes) -> None:
        value = self._pop()
        if kind == b"c":
            self.out.append(value & 0xFF)
        elif kind != b"s":
            self.out += (b"%x" if kind in b"xX" else b"%d") % value

    def _push(self, word: int, argument: int) -> None:
        """A parameter, a variable, a character or a number."""
        if word == ord("p"):
            self.stack.append(self.parameters[argument - ord("1")] if ord("1") <= argument <= ord("9") else 0)
            self.at += 1
        elif word == ord("g"):
            self.stack.append(self.variables.get(argument, 0))
            self.at += 1
        elif word == ord("'"):
            self.stack.append(argument)
            self.at += 2
        else:
            digits = re.match(rb"\d*", self.text[self.at :])
            self.stack.append(int(digits[0] or b"0") if digits else 0)
            end = self.text.find(b"}", self.at)
            self.at = end + 1 if end >= 0 else len(self.text)

    def _execute(self, word: int, argument: int) -> None:
        if word == ord("%"):
            self.out.append(word)
        elif word == ord("P"):
            self.variables[argument] = self._pop()
            self.at += 1
        elif word == ord("!"):
            self.stack.append(int(not self._pop()))
        elif word == ord("~"):
            self.stack.append(~self._pop())
        elif word == ord("i"):
            self.parameters[0] += 1
            self.parameters[1] += 1
        elif word == ord("t"):
            if not self._pop():
                self._skip(b"e;")
        elif word == ord("e"):
            self._skip(b";")

    def _skip(self, ends: bytes) -> None:
        """Go on behind the `%e` or `%;` that belongs to this `%?`; to the end when there is none."""
        depth = 0
        while (at := self.text.find(b"%", self.at)) >= 0 and at + 1 < len(self.text):
            word = self.text[at + 1]
            self.at = at + 2
            if word == ord("?"):
                depth += 1
            elif depth == 0 and word in ends:
                return
            elif word == ord(";"):
                depth -= 1
        self.at = len(self.text)
