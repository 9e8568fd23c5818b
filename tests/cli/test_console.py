"""`pvgrub-sim console` in a real pseudo-terminal: what is drawn; the terminal is given back on every way out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pyte
import pytest

from pvgrub_sim.cli.terminal import safe
from tests.conformance.test_sessions import SESSIONS, keys_of, load_sessions
from tests.images import unpack_sparse

COMMAND = [sys.executable, "-m", "pvgrub_sim", "console"]
XEN = ["--pvgrub", "xen-4.17", "--config", "(hd0)/boot/grub/menu.lst"]
TIMEOUT = 60
"""Seconds that a busy machine may take."""


class Terminal:
    """A program in a pseudo-terminal, and what a terminal of that size shows."""

    def __init__(self, command: list[str], lines: int, columns: int, errors: Path) -> None:
        self.child = pexpect.spawn(
            "/bin/sh", ["-c", 'exec "$@" 2>"$0"', str(errors), *command], dimensions=(lines, columns), timeout=TIMEOUT
        )
        self._errors = errors
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.before = termios.tcgetattr(self.child.child_fd)

    def screen(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def see(self, pattern: str) -> None:
        """Wait until the screen shows it."""
        end = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.screen()):
            assert time.monotonic() < end, f"no {pattern!r} on\n{self.screen()}\n{self.errors()}"
            with suppress(pexpect.TIMEOUT, pexpect.EOF):
                self._stream.feed(self.child.read_nonblocking(4096, timeout=0.2))

    def text(self) -> str:
        """The screen without its line breaks."""
        return "".join(self._screen.display)

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def errors(self) -> str:
        return self._errors.read_text("utf-8") if self._errors.exists() else ""

    def end(self) -> int:
        """Wait for the end; the exit status, with the terminal as it was before."""
        while True:
            try:
                self._stream.feed(self.child.read_nonblocking(4096, timeout=TIMEOUT))
            except pexpect.EOF:
                break
        after = termios.tcgetattr(self.child.child_fd)
        self.child.close()
        assert after == self.before
        assert "Traceback" not in self.screen() + self.errors()
        assert self.child.exitstatus is not None, f"died of signal {self.child.signalstatus}"
        return int(self.child.exitstatus)


@contextmanager
def console(name: str, folder: Path, *options: str, lines: int = 24, columns: int = 80) -> Iterator[Terminal]:
    """The console on a recorded image."""
    image = unpack_sparse(SESSIONS / "images" / f"{name}.img.zst", folder / "disk.img")
    terminal = Terminal([*COMMAND, str(image), *XEN, *options], lines, columns, folder / "errors")
    try:
        yield terminal
    finally:
        terminal.child.close(force=True)


def test_menu_and_boot(tmp_path: Path) -> None:
    with console("m4", tmp_path, "--memory", "1700", "--raw", str(tmp_path / "raw")) as terminal:
        terminal.see(r"\(1740800K lower / 0K upper memory\)(.|\n)*'c' for a command-line")
        terminal.type("\x1b[B\r")
        assert terminal.end() == 0
        assert "arguments  root=/dev/xvda1 ro e=E1" in terminal.screen()
        assert "PV-GRUB boots entry 1 'E1' and hands over to the kernel /boot/vmlinuz-b." in terminal.text()
    raw = (tmp_path / "raw").read_bytes()
    recorded = bytes.fromhex(load_sessions()["menu-down-boot"]["raw_hex"])
    assert raw.split(b"\n", 1)[1] == recorded.split(b"\n", 1)[1]


@pytest.mark.parametrize(("lines", "columns"), [(24, 80), (50, 132), (200, 300)])
def test_edit_in_a_window_of_any_size(lines: int, columns: int, tmp_path: Path) -> None:
    with console("m4", tmp_path, lines=lines, columns=columns) as terminal:
        terminal.see("command-line")
        terminal.type("e")
        terminal.see("'b' to boot")
        terminal.type("\x1b[B")
        terminal.type("e")
        terminal.see("grubdom edit> kernel /boot/vmlinuz-a")
        terminal.type(" single")
        terminal.see("e=E0 single")
        terminal.type("\r")
        terminal.see("kernel /boot/vmlinuz-a root=/dev/xvda1 ro e=E0 single")
        terminal.type("b")
        assert terminal.end() == 0
        assert "arguments  root=/dev/xvda1 ro e=E0 single" in terminal.text()


def test_completion(tmp_path: Path) -> None:
    with console("many", tmp_path) as terminal:
        terminal.see("command-line")
        terminal.type("c")
        terminal.see("grubdom>")
        terminal.type("root (h\t")
        terminal.see(r"grubdom> root \(hd0,")
        terminal.type("\x7f)\rkernel /boot/vm\t\t")
        terminal.see("Possible files are:")
        terminal.type("\x1d")
        assert terminal.end() == 1
        assert "No kernel is booted: PV-GRUB waits at the prompt grubdom>." in terminal.text()


def test_password(tmp_path: Path) -> None:
    with console("pw", tmp_path) as terminal:
        terminal.see("'p' to enter a")
        terminal.type("psecret")
        terminal.see(r"Password: \*{6}")
        assert "secret" not in terminal.screen()
        terminal.type("\r")
        terminal.see("'e' to edit")
        terminal.type("\x1d")
        assert terminal.end() == 1


def test_timeout_in_real_time(tmp_path: Path) -> None:
    with console("m4t3d2", tmp_path) as terminal:
        terminal.see("automatically in 3 seconds")
        start = time.monotonic()
        assert terminal.end() == 0
        assert time.monotonic() - start > 1.5
        assert "entry 2 'E2'" in terminal.text()


def test_resize_draws_anew(tmp_path: Path) -> None:
    with console("m4", tmp_path) as terminal:
        terminal.see("command-line")
        terminal.type("\x1b[B")
        terminal._screen.reset()
        terminal.child.setwinsize(40, 120)
        terminal.see(r" E0 (.|\n)* E1 (.|\n)* E3 (.|\n)*command-line")
        terminal.type("\x1d")
        assert terminal.end() == 1


def test_ctrl_c_and_ctrl_z(tmp_path: Path) -> None:
    with console("m4", tmp_path) as terminal:
        terminal.see("command-line")
        terminal.type("\x1a\x1c")
        terminal.type("\x1b[B")
        terminal.see(" E1 ")
        terminal.type("\x03")
        assert terminal.end() == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(number: signal.Signals, tmp_path: Path) -> None:
    with console("m4t5", tmp_path) as terminal:
        terminal.see("automatically in")
        terminal.child.kill(number)
        assert terminal.end() == 128 + number


@pytest.mark.parametrize("session_leader", [True, False])
def test_a_terminal_that_is_closed(session_leader: bool, tmp_path: Path) -> None:
    """As its terminal's session leader it is told with SIGHUP, otherwise the keyboard just ends."""
    image = unpack_sparse(SESSIONS / "images" / "m4.img.zst", tmp_path / "disk.img")
    master, slave = os.openpty()
    script = "import fcntl, os, sys, termios\nif sys.argv[1] == 'True': fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    script += "os.execvp(sys.argv[2], sys.argv[2:])"
    with (tmp_path / "errors").open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, "-c", script, str(session_leader), *COMMAND, str(image), *XEN],
            stdin=slave, stdout=slave, stderr=errors, start_new_session=True,
        )  # fmt: skip
    os.close(slave)
    shown = b""
    while b"command-line" not in shown:
        shown += os.read(master, 4096)
    os.close(master)
    assert running.wait(TIMEOUT) in ((128 + signal.SIGHUP,) if session_leader else (1, 2))
    assert "Traceback" not in (tmp_path / "errors").read_text("utf-8")


def test_a_small_window_and_no_terminal(tmp_path: Path) -> None:
    with console("m4", tmp_path, lines=20, columns=60) as terminal:
        assert terminal.end() == 2
        assert "the window has 60x20, and PV-GRUB draws on 80x24" in terminal.errors()
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "disk.img")], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pvgrub-sim: the console needs a terminal on standard input and output, or --keys FILE\n"


def test_an_image_that_is_none_leaves_the_terminal_alone(tmp_path: Path) -> None:
    terminal = Terminal([*COMMAND, str(tmp_path / "none.img")], 24, 80, tmp_path / "errors")
    assert terminal.end() == 2
    assert "none.img" in terminal.errors()


def keys_file(name: str, path: Path) -> Path:
    """The keys of a recorded session as a key file."""
    lines = []
    for key in keys_of(load_sessions()[name]):
        trigger = "idle" if key.after is None else f"@{key.after}"
        lines.append(f"{trigger} hex:{key.data.hex()}\n")
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("menu-third", 0, "PV-GRUB boots entry 2 'E2' and hands over to the kernel /boot/vmlinuz-a."),
        ("fallback-no-timeout-moved", 3, "PV-GRUB boots entry 2 "),
        ("edit-fails-returns", 3, "PV-GRUB boots entry 0 "),
        ("prompt-forever-boot", 0, "PV-GRUB hands over to the kernel /boot/vmlinuz-a, as it was told at its prompt."),
        ("tab-full-screen", 1, "No kernel is booted: PV-GRUB waits in the menu."),
        ("random-47", 1, "No kernel is booted: PV-GRUB waits at the prompt grubdom edit>."),
        ("random-28", 1, "No kernel is booted: PV-GRUB waits at the prompt Password:."),
        ("cmd-fallback-esc", 1, "No kernel is booted: entry 0 'Bad' failed: Error 15: File not found"),
        ("edit-fail-fallback-none", 1, "an edited entry failed while a fallback is set"),
    ],
)
def test_keys_and_raw(name: str, status: int, told: str, tmp_path: Path) -> None:
    session = load_sessions()[name]
    vbd, image = session["disks"][0]
    disk = unpack_sparse(SESSIONS / "images" / image, tmp_path / "disk.img")
    raw = tmp_path / "raw"
    options = ["--device", str(vbd), "--arch", "x86_64", "--config", session["config"], "--pvgrub", "xen-4.17"]
    options += ["--memory", "1700", "--keys", str(keys_file(name, tmp_path / "keys")), "--raw", str(raw)]
    done = subprocess.run([*COMMAND, str(disk), *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert raw.read_bytes().hex() == session["raw_hex"]
    assert told in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout


def test_what_an_image_may_not_do_to_a_terminal() -> None:
    raw = b"\x1b]0;title\x07\x1b[2J\x1b[31m\x9b5m\x0e\xc2\x9b\xe2\x80\xaea\xe9\xc3\xa9\x1b[5;3H\x1b[7m\x1b[m\r\r\n\x1bc"
    shown = safe(raw, "utf-8")
    assert shown.decode() == "]0;title[2J[31m\ufffd5m??a\ufffd\xe9\x1b[5;3H\x1b[7m\x1b[m\r\r\nc"
    assert safe("\u00e9".encode(), "ascii") == b"?"
