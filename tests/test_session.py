"""Session: PV-GRUB's console from a program, and boot() with keys."""

from __future__ import annotations

import fcntl
import os
import resource
import threading
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import Key, Outcome, Session, UsageError, boot, interact
from tests.conformance.test_sessions import SESSIONS
from tests.images import unpack_sparse

XEN: dict[str, Any] = {"pvgrub": "xen-4.17", "config": "(hd0)/boot/grub/menu.lst"}


def image(name: str, folder: Path) -> Path:
    return unpack_sparse(SESSIONS / "images" / f"{name}.img.zst", folder / f"{name}.img")


def lines(session: Session) -> list[str]:
    return [line.rstrip() for line in session.screen().split("\n")]


def test_a_menu_is_looked_at_and_booted_from(tmp_path: Path) -> None:
    with Session(image("m4", tmp_path), memory=1700, **XEN) as session:
        screen = session.screen().split("\n")
        assert [len(line) for line in screen] == [80] * 24
        assert lines(session)[1] == "    GNU GRUB  version 0.97  (1740800K lower / 0K upper memory)"
        assert session.outcome is Outcome.MENU
        session.send("down", "down")
        assert session.outcome is Outcome.MENU
        session.send("enter")
        verdict = session.verdict
    assert (verdict.outcome, verdict.entry, verdict.attended) == (Outcome.BOOTS, 2, True)
    assert verdict.cmdline == "root=/dev/xvda1 ro e=E2"


def test_a_timeout_runs_only_in_wait(tmp_path: Path) -> None:
    with Session(image("m4t5", tmp_path), **XEN) as session:
        assert "in 5 seconds." in session.screen()
        assert session.outcome is Outcome.BOOTS
        session.wait(3.2)
        assert "in 3 seconds." in session.screen()
        session.send("text:x")
        assert "seconds." not in session.screen()
        assert session.outcome is Outcome.MENU
    with Session(image("hidden", tmp_path), **XEN) as session:
        session.wait(2.5)
        assert lines(session)[1].endswith("Press `ESC' to enter the menu... 2")
        session.send("esc")
        assert "GNU GRUB" in session.screen()


def test_a_password(tmp_path: Path) -> None:
    with Session(image("pw", tmp_path), **XEN) as session:
        assert "'p' to enter a" in session.screen()
        session.send("text:p", "text:wrong", "enter")
        assert session.outcome is Outcome.FAILS
        assert "Failed!" in session.screen()
        session.send("space", "text:p", "text:secret")
        assert session.outcome is Outcome.WAITS
        assert "Password: ******" in session.screen()
        session.send("enter", "text:e")
        assert "'b' to boot, 'e' to edit" in session.screen()


def test_the_build_is_that_of_the_kernel_and_the_transcript_that_of_boot(tmp_path: Path) -> None:
    path = image("m4", tmp_path)
    keys = [Key(b"\x1b[B"), Key(b"\r")]
    with Session(path, **XEN) as session:
        session.send("down", "enter")
        verdict = boot(path, keys=keys, findings=False, **XEN)
        assert session.transcript == verdict.transcript
        assert session.verdict == verdict


def test_what_makes_no_sense(tmp_path: Path) -> None:
    path = image("m4", tmp_path)
    with Session(path) as session:
        for word in ("F1", "", "hex:1", "down "):
            with pytest.raises(UsageError):
                session.send(word)
        for seconds in (-1.0, float("nan"), 1e9):
            with pytest.raises(UsageError):
                session.wait(seconds)
    for memory in (0, -1, 1 << 30):
        with pytest.raises(UsageError, match="of memory"):
            Session(path, memory=memory)
        with pytest.raises(UsageError, match="of memory"):
            boot(path, memory=memory)


def played(path: Path, typed: bytes, *, close: bool = False, above: int = 0) -> tuple[str, bytes]:
    """interact() with what is typed in a pipe, from a descriptor of at least `above`: how it ends, what was shown."""
    reader, writer = os.pipe()
    if above:
        low, reader = reader, fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, above)
        os.close(low)
    shown = bytearray()
    typing = threading.Timer(0.3, lambda: (os.write(writer, typed), os.close(writer) if close else None))
    typing.start()
    try:
        verdict = interact(path, reader, shown.extend, **XEN)
    finally:
        typing.join()
        os.close(reader)
        if not close:
            os.close(writer)
    assert verdict.transcript == shown
    return str(verdict.outcome), bytes(shown)


@pytest.mark.parametrize(
    ("name", "typed", "close", "outcome"),
    [
        ("m4", b"\x1b[B\r", False, "boots"),
        ("m4", b"c\x1d", False, "prompt"),
        ("m4", b"e", True, "menu"),
        ("m4t5", b"\x1d", False, "menu"),
        ("hidden", b"\x1d", False, "menu"),
        ("pw", b"p\x1d", False, "waits"),
    ],
)
def test_live_until_somebody_leaves(name: str, typed: bytes, close: bool, outcome: str, tmp_path: Path) -> None:
    assert played(image(name, tmp_path), typed, close=close)[0] == outcome


def test_live_timeouts_are_real(tmp_path: Path) -> None:
    outcome, shown = played(image("m4t3d2", tmp_path), b"")
    assert outcome == "boots"
    assert [b"in %d seconds" % left in shown for left in (3, 2, 1)] == [True] * 3


def test_live_beside_many_open_files(tmp_path: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert old[1] > 2000 or old[1] == resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, old[1]))
    try:
        assert played(image("m4", tmp_path), b"\x1b[B\r", above=1500)[0] == "boots"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)
