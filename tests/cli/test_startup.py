"""What a command imports: time at the start is time that every run pays for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pvgrub_sim.cli import main
try:
    main(sys.argv[1:])
finally:
    sys.stdout = sys.__stderr__
    print(*sys.modules)
"""
HEAVY = {
    "construct", "dataclasses", "elftools", "inspect", "json", "pathlib", "shutil", "subprocess", "tempfile",
    "textwrap", "typing", "zstandard", "lz4", "lzallright",
}  # fmt: skip
"""What takes long to import, and is not needed on the way to a verdict in words."""


def imported(*words: str) -> set[str]:
    """The modules that a command has imported when it is done."""
    done = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=False)
    modules = done.stderr.splitlines()[-1].split()
    assert "pvgrub_sim.cli" in modules, done.stderr
    return set(modules)


def test_a_verdict_needs_nothing_heavy(good: Path) -> None:
    modules = imported("boot", str(good))
    assert "pvgrub_sim.report.text" in modules
    assert modules & HEAVY == set()


def test_readers_and_drivers_are_imported_when_their_filesystem_is_met(good: Path) -> None:
    modules = imported("boot", str(good))
    assert "pvgrub_sim.grub.fs.ext2.driver" in modules
    others = {"xfs", "jfs", "reiserfs", "minix", "vstafs", "ufs", "iso9660"}
    assert {name for name in others if f"pvgrub_sim.grub.fs.{name}" in modules} == set()
    assert {name for name in ("xfs", "fat", "iso") if f"pvgrub_sim.survey.{name}" in modules} == set()


def test_commands_rules_and_remedies_are_imported_when_they_are_asked_for(good: Path) -> None:
    modules = imported("boot", str(good))
    assert "pvgrub_sim.grub.builtins.kernels" in modules and "pvgrub_sim.findings.rules.entries" in modules
    unwanted = {
        "grub.builtins": ("files", "graphics", "network", "partitions", "screen", "system"),
        "findings.rules": ("akis", "instances", "pvgrub_itself"),
        "findings.remedies": ("automagic", "boot_disks", "commands", "files", "menus", "tables"),
        "findings.plan": ("search", "future"),
    }
    assert {f"{part}.{name}" for part, names in unwanted.items() for name in names} & {
        name.removeprefix("pvgrub_sim.") for name in modules
    } == set()


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_the_help_imports_no_command(words: list[str]) -> None:
    ours = {name.removeprefix("pvgrub_sim.") for name in imported(*words) if name.startswith("pvgrub_sim.")}
    assert ours <= {"cli", "cli.output", "cli.trouble", "errors", "safetext", "typed"}


@pytest.mark.parametrize("words", [["aki", "list"], ["completion", "bash"]], ids=lambda words: words[0])
def test_what_needs_no_machine_imports_none(words: list[str]) -> None:
    assert "pvgrub_sim.grub.machine" not in imported(*words)
