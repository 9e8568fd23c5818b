"""Whatever a command is given: an answer, or one line on standard error and exit status 2; never a traceback."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvgrub_sim.cli import COMMANDS
from tests.cli.running import MENU, Run

INPUTS: dict[str, list[str]] = {
    "boot": ["boot", "{}"],
    "boot --disk": ["boot", "{good}", "--disk", "/dev/sdb={}"],
    "boot --ami": ["boot", "{good}", "--ami", "{}"],
    "inspect": ["inspect", "{}"],
    "ls": ["ls", "{}", "(hd0)/boot/"],
    "ls --survey": ["ls", "--survey", "{}", "(hd0)/boot/"],
    "cat": ["cat", "{}", MENU],
    "cat --survey": ["cat", "--survey", "{}", MENU],
    "kernel": ["kernel", "{}"],
    "kernel on an image": ["kernel", "{}:(hd0)/boot/vmlinuz"],
    "extract": ["extract", "{}", "-o", "{out}"],
    "repack": ["repack", "{}", "-o", "{out}"],
    "aki recommend": ["aki", "recommend", "{}", "--region", "eu-west-1"],
    "aki check": ["aki", "check", "{}"],
    "fix": ["fix", "{}", "--dry-run"],
}
"""Every argument of a command that names a file which is read."""
WITHOUT_INPUT = {"explain", "completion"}
TESTED_ELSEWHERE = {"console", "scan", "fleet"}
"""What wants a terminal (test_console.py), or records what it cannot read (tests/fleet)."""


def test_every_command_takes_part() -> None:
    assert {words[0] for words in INPUTS.values()} | WITHOUT_INPUT | TESTED_ELSEWHERE == set(COMMANDS)


# --- what cannot be read


def missing(folder: Path) -> str:
    return str(folder / "absent")


def in_no_folder(folder: Path) -> str:
    return str(folder / "absent" / "file")


def below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return str(folder / "file" / "below")


def directory(folder: Path) -> str:
    (folder / "directory").mkdir()
    return str(folder / "directory")


def dangling(folder: Path) -> str:
    (folder / "dangling").symlink_to("nowhere")
    return str(folder / "dangling")


def circle(folder: Path) -> str:
    (folder / "circle").symlink_to("circle")
    return str(folder / "circle")


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


def with_nul(folder: Path) -> str:
    return str(folder / "a\0b")


def too_long(folder: Path) -> str:
    return str(folder / ("x" * 5000))


def no_name(folder: Path) -> str:
    return ""


def line_end(folder: Path) -> str:
    return str(folder / "two\nlines\x1b[31m")


def no_utf8(folder: Path) -> str:
    return os.fsdecode(os.fsencode(folder) + b"/absent\xff")


UNREADABLE = (
    missing, in_no_folder, below_a_file, directory, dangling, circle, pipe, with_nul, too_long, no_name, line_end,
    no_utf8,
)  # fmt: skip
PIPES = {"boot --ami", "aki check"}
"""What may come from a pipe, and waits for it."""


@pytest.mark.parametrize(
    ("command", "make"),
    [(command, make) for command in INPUTS for make in UNREADABLE if make is not pipe or command not in PIPES],
)
def test_what_cannot_be_read_is_one_line_and_status_2(
    command: str, make: Callable[[Path], str], run: Run, tmp_path: Path
) -> None:
    assert run(INPUTS[command], make(tmp_path)) == 2
    run.refused()


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, who can read everything."""
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(65534)
    yield
    os.seteuid(uid)


@pytest.mark.parametrize("command", INPUTS)
def test_without_permission_it_is_one_line_and_status_2(command: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_bytes(bytes(4096))
    # Everything that the command needs is imported now.
    run(INPUTS[command], path)
    (tmp_path / "out").unlink(missing_ok=True)
    for place in (tmp_path, tmp_path.parent, run.good.parent, run.good.parent.parent):
        place.chmod(0o755)
    path.chmod(0)
    with nobody():
        assert run(INPUTS[command], path) == 2
    run.refused()
    assert b"permission denied" in run.err.lower()


# --- what is not what was meant


def empty(good: Path) -> bytes:
    return b""


def one_byte(good: Path) -> bytes:
    return b"x"


def text(good: Path) -> bytes:
    return b"title Linux\nroot (hd0)\nkernel /vmlinuz\n" * 100


def noise(good: Path) -> bytes:
    return random.Random(7).randbytes(300_000)


def zeros(good: Path) -> bytes:
    return bytes(300_000)


def gzipped_noise(good: Path) -> bytes:
    return b"\x1f\x8b\x08\0" + random.Random(7).randbytes(3000)


def elf_magic(good: Path) -> bytes:
    return b"\x7fELF\x02\x01\x01" + random.Random(7).randbytes(3000)


def bzimage_magic(good: Path) -> bytes:
    head = bytearray(random.Random(7).randbytes(3000))
    head[0x1FE:0x200], head[0x202:0x208] = b"\x55\xaa", b"HdrS\x0c\x02"
    return bytes(head)


def json_text(good: Path) -> bytes:
    return b'{"Images": [{"ImageId": 7}]}'


def deep_json(good: Path) -> bytes:
    return b'{"Images":' * 100_000


def big_number(good: Path) -> bytes:
    return b'{"Images": ' + b"9" * 10_000 + b"}"


def cut(good: Path) -> bytes:
    return good.read_bytes()[:1_000_001]


def half_sector(good: Path) -> bytes:
    return good.read_bytes()[:1500]


CONTENTS = (
    empty, one_byte, text, noise, zeros, gzipped_noise, elf_magic, bzimage_magic, json_text, deep_json, big_number,
    cut, half_sector,
)  # fmt: skip
ANSWERS = {
    "fix": {1},
    "boot": {1},
    "boot --disk": {0, 1, 3},
    "boot --ami": set(),
    "inspect": {0},
    "ls": {1},
    "ls --survey": {1},
    "cat": {1},
    "cat --survey": {1},
    "kernel": {1},
    "kernel on an image": set(),
    "extract": set(),
    "repack": set(),
    "aki recommend": {1},
    "aki check": set(),
}
"""What each command may answer besides 2 to a file that is not what it is for."""
READS_ALL = {
    "fix",
    "ls",
    "ls --survey",
    "cat",
    "cat --survey",
    "kernel on an image",
    "inspect",
    "boot",
    "aki recommend",
}


@pytest.mark.parametrize("make", CONTENTS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", INPUTS)
def test_what_is_not_what_was_meant_is_told_or_refused(
    command: str, make: Callable[[Path], bytes], run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "input"
    path.write_bytes(make(run.good))
    status = run(INPUTS[command], path)
    if status == 2:
        run.refused()
        assert b"input" in run.err
        return
    # An image that is cut short still has its menu; what begins like an ELF file is taken for one.
    by_chance = (make is cut and command in READS_ALL) or (make is elf_magic and command == "extract")
    assert status in ANSWERS[command] | ({0, 1} if by_chance else set())
    assert run.err.count(b"\n") <= 1
    assert run.out or run.err or (tmp_path / "out").exists()
    run.out.decode()
