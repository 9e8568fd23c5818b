"""`pvgrub-sim completion`, in the shell that it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs import completions as generate
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


def test_no_package_is_needed_for_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == generate.script("bash")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (
            ["boot", "--pvgrub", "amazon-1.0"],
            {"amazon-1.01", "amazon-1.02", "amazon-1.03", "amazon-1.04", "amazon-1.05"},
        ),
        (["boot", "--aki", "aki-176bf5"], {"aki-176bf516"}),
        (["boot", "--ignore", "kernel-mis"], {"kernel-missing"}),
        (["fix", "--only", "kernel-mis"], {"kernel-missing"}),
        (["explain", "kernel-mis"], {"kernel-missing"}),
        (["boot", "--image-format", "vm"], {"vmdk"}),
        (["aki", "list", "--region", "eu-w"], {"eu-west-1", "eu-west-2"}),
        (["aki", "show", "aki-176bf5"], {"aki-176bf516"}),
        (["fleet", "--format", "par"], {"parquet"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes_values(script: Path, words: list[str], offered: set[str]) -> None:
    assert complete(script, "pvgrub-sim", *words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_scripts_have_no_mistakes(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(shell)
    assert main(["completion", shell]) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert subprocess.run([shell, "-n", path], capture_output=True, check=False).stderr == b""
