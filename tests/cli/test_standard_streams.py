"""Standard output that is closed, full or no longer read; standard input that is closed or nonsense."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LONG = (
    ["boot", "{good}", "--format", "html"], ["inspect", "{good}"], ["cat", "{good}", "(hd0)/boot/vmlinuz"],
    ["ls", "-l", "{good}", "(hd0)/boot/"], ["kernel", "{good}:(hd0)/boot/vmlinuz"], ["aki", "list"],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", "-"], ["explain"], ["completion", "bash"],
)  # fmt: skip


def shell(script: str, words: list[str], good: Path) -> subprocess.CompletedProcess[str]:
    """A shell's script in which "$@" is the command."""
    program = [sys.executable, "-c", "from pvgrub_sim.cli import entry; entry()"]
    filled = [word.replace("{good}", str(good)) for word in words]
    return subprocess.run(["bash", "-c", script, "sh", *program, *filled], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(words: list[str], good: Path) -> None:
    done = shell('"$@" | true; echo "${PIPESTATUS[0]}"', words, good)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_full_disk_is_one_line_and_status_2(words: list[str], good: Path) -> None:
    done = shell('"$@" >/dev/full', words, good)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "no space left on device" in done.stderr


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_closed_standard_streams(words: list[str], good: Path) -> None:
    done = shell('"$@" <&- >&- 2>&-', words, good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = shell('"$@" >&-', words, good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("words", [["aki", "check", "-"]])
def test_standard_input_that_is_closed_or_nonsense(words: list[str], good: Path) -> None:
    for script in ('"$@" <&-', '"$@" </dev/null', 'echo nonsense | "$@"', 'head -c 1000 /dev/urandom | "$@"'):
        done = shell(script, words, good)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("pvgrub-sim: standard input"), done.stderr
