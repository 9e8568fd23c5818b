"""Key files, and the clock on which their keys are pressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import ImageError, Key, UsageError, parse_keys, read_keys
from pvgrub_sim.keys import CODES, TypedKeys
from tests.conformance.test_sessions import load_sessions

RECORDED_NAMES = {"pgup": "pageup", "pgdn": "pagedown", "del127": "backspace"}


def test_a_key_file() -> None:
    text = "# comment\n\n  \nidle down\n@2.5 enter\r\n@.5\ttext:a b \nidle hex:1b 5b41\n@3 ctrl-c\n"
    assert parse_keys(text) == (
        Key(b"\x1b[B"), Key(b"\r", 2.5), Key(b"a b ", 0.5), Key(b"\x1b[A"), Key(b"\x03", 3.0),
    )  # fmt: skip


def test_text_is_utf_8_and_the_last_line_needs_no_newline() -> None:
    assert parse_keys("idle text:\u00e9") == (Key(b"\xc3\xa9"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("idle", "keys:1: a line is"),
        ("idle down\nsoon up", "keys:2: a line is"),
        ("@ up", "keys:1: a line is"),
        ("@-1 up", "keys:1: a line is"),
        ("@1e9 up", "keys:1: a line is"),
        ("@99999999 up", "keys:1: more than"),
        ("idle hex:1", "keys:1: 'hex:1' has no hexadecimal"),
        ("idle F1", "keys:1: unknown key 'F1'"),
        ("idle ctrl-1", "keys:1: unknown key"),
    ],
)
def test_bad_lines(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_keys(text)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        read_keys(tmp_path / "none")
    (tmp_path / "latin-1").write_bytes(b"idle up\nidle text:\xe9\n")
    with pytest.raises(ImageError, match="at offset 18: no UTF-8"):
        read_keys(tmp_path / "latin-1")
    (tmp_path / "large").write_bytes(b"#" * (2 << 20))
    with pytest.raises(UsageError, match="more than"):
        read_keys(tmp_path / "large")


def test_the_keys_names_are_those_of_the_recordings() -> None:
    """What a terminal sends for a key, as the sessions were recorded."""
    recorded = {
        RECORDED_NAMES.get(name, name): code
        for session in load_sessions().values()
        for _, name, code in session["keys"]
        if name != code
    }
    recorded |= {f"ctrl-{name[1].lower()}": code for name, code in recorded.items() if name.startswith("^")}
    compared = {name for name in CODES if name in recorded}
    assert len(compared) >= 20
    for name in compared:
        assert CODES[name].hex() == recorded[name], name


def test_countdown_messages_come_between_the_keys_as_recorded() -> None:
    """Keys that wait for PV-GRUB to be idle, or for a time, come in the second in which they came."""
    keys = TypedKeys([Key(b"a"), Key(b"b"), Key(b"c"), Key(b"d"), Key(b"e", 1.5)])
    found: list[tuple[int, int]] = []
    told = 0
    while len(found) < 5:
        if keys.seconds() != told:
            told = keys.seconds()
            keys.printed(b"message")
        byte = keys.fetch()
        if byte is None:
            keys.pause()
        else:
            found.append((told, byte))
    assert [second for second, _ in found] == [1, 1, 1, 2, 3]
