"""`pvgrub-sim completion`, in the shell that it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim.cli import COMMANDS, main
from pvgrub_sim.cli.completion import SHELLS
from tests.tools import require


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "completion.bash"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


def complete(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    code = (
        'script=$1; shift; source "$script"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; '
        'COMP_POINT=${#COMP_LINE}; _shtab_pvgrub_sim pvgrub-sim "${COMP_WORDS[COMP_CWORD]}"; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = [require("bash"), "-c", code, "bash", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=script.parent)
    return {word.strip() for word in done.stdout.split("\n")} - {""}


def test_bash_completes_commands(script: Path) -> None:
    assert set(COMMANDS) <= complete(script, "pvgrub-sim", "")
    assert complete(script, "pvgrub-sim", "bo") == {"boot"}


def test_bash_completes_options_and_their_values(script: Path) -> None:
    assert complete(script, "pvgrub-sim", "boot", "--pv") == {"--pvgrub"}
    assert complete(script, "pvgrub-sim", "boot", "--format", "sa") == {"sarif"}


def test_bash_completes_files(script: Path) -> None:
    (script.parent / "disk.img").touch()
    assert complete(script, "pvgrub-sim", "boot", "dis") == {"disk.img"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "pvgrub-sim" in capsys.readouterr().out


def test_without_shtab_there_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        "pvgrub-sim: completion needs the package shtab: pip install 'pvgrub-sim[completion]'\n"
    )
