"""The Xen console as text: what a terminal emulator of other people shows is what the last screen says."""

from __future__ import annotations

import pyte
import pytest

from pvgrub_sim import console_text
from tests.conformance.test_sessions import load_sessions
from tests.rounds import spread

SCREEN = 25
"""Rows that are addressed."""
CLEARED = b"\x1b[H\x1b[J"
RANDOM = [name for name in load_sessions() if name.startswith("random")]
"""Sessions of the same kind: keys that chance pressed."""
SESSIONS = [*(name for name in load_sessions() if name not in RANDOM), *spread(RANDOM, otherwise=15)]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_last_screen_is_what_pyte_shows(name: str) -> None:
    """On a terminal so high that nothing scrolls out of it."""
    raw = bytes.fromhex(load_sessions()[name]["raw_hex"])
    screen = pyte.Screen(80, SCREEN + raw.count(b"\n"))
    pyte.ByteStream(screen).feed(raw)
    shown = "\n".join(line.rstrip() for line in screen.display).rstrip("\n")
    text = console_text(raw)
    last = "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")
    assert shown
    assert last.endswith(shown)
    assert text.startswith("vbd ")


def test_screens_stand_one_below_another() -> None:
    raw = b"vbd 1 is hd0\r\n" + CLEARED + b"\r\r\n  one\x1b[5;3Htwo" + CLEARED + b"three  \r\r\n"
    assert console_text(raw) == "vbd 1 is hd0\n\n  one\n\n\n  two\nthree  \n"


def test_what_is_written_over_is_gone_and_blanks_stay() -> None:
    assert console_text(b"abc\b\bX\rY") == "YXc\n"
    assert console_text(b"1 second \r0") == "0 second \n"


def test_a_menus_own_cursor_address_takes_no_memory() -> None:
    assert len(console_text(b"\x1b[999999999999;999999999999Hx")) < 10_000
    assert console_text(b"\x1b[;Hx\xff\x1bY") == "x\\xff\x1bY\n"


def test_nothing() -> None:
    assert console_text(b"") == ""
