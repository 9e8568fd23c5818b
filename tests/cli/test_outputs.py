"""No command writes over what it reads, whichever arguments name it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim.cli import build_parser
from pvgrub_sim.cli.output import INPUTS, OUTPUTS, files_of
from tests.cli.running import Run

CONTENT = b"memory = 128\n"
"""What a project file may hold, and no image."""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    commands = next(one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(commands.choices)


def pairs() -> Iterator[tuple[str, str, str]]:
    """Command, the option that says where something goes, and an argument that names a file to read."""
    for name, parser in parsers().items():
        outputs = [action for action in parser._actions if OUTPUTS.intersection(action.option_strings)]
        for output in outputs:
            for action in parser._actions:
                if action.metavar in INPUTS and action not in outputs:
                    yield name, output.option_strings[-1], (action.option_strings or [action.dest])[-1]


@pytest.mark.parametrize("case", list(pairs()), ids=" ".join)
@pytest.mark.parametrize("form", ["{}", "file:{}", "link"])
def test_an_output_that_is_an_input_is_refused(
    case: tuple[str, str, str], form: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, output, argument = case
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to("input")
    named = form.format("input")
    words = [command, output, "input"]
    for action in parsers()[command]._actions:
        if not action.option_strings and action.nargs != "?":
            is_it = action.dest == argument
            words += [named if is_it else str(run.good)]
    if argument.startswith("-"):
        words += [argument, f"/dev/sdb={named}" if argument == "--disk" else named]
    if argument == "--xl-config":
        words.remove(str(run.good))
    assert run(words) == 2
    assert b"input: is an input (" in run.err or (argument, form) == ("--project", "file:{}")
    run.refused()
    assert (tmp_path / "input").read_bytes() == CONTENT


def test_a_kernel_on_an_image_keeps_the_image(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(run.good.read_bytes())
    before = image.read_bytes()
    for kernel in (f"{image}:(hd0)/boot/vmlinuz", f"file:{image}:(hd0)/boot/vmlinuz"):
        assert run(["extract", kernel, "-o", str(image)]) == 2
        run.refused()
    assert image.read_bytes() == before


def test_a_project_file_that_was_found_is_an_input(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".pvgrub-sim.toml").write_text("memory = 128\n")
    assert run(["boot", "{good}", "-o", ".pvgrub-sim.toml"]) == 2
    assert b"is an input" in run.err
    assert (tmp_path / ".pvgrub-sim.toml").read_text() == "memory = 128\n"


def test_every_argument_that_is_a_file_is_read_or_written() -> None:
    """A name of a metavar that nobody knows would be watched by nobody."""
    words = "ADDRESS AKI ARI COMMAND DIR FORMAT ID ID|NAME MIB N PATH R RULE S SIZE TYPE VERSION"
    others = set(words.split())
    for parser in parsers().values():
        outputs, inputs = files_of(parser)
        for action in parser._actions:
            if isinstance(action.metavar, str) and action.dest not in (*outputs, *inputs):
                assert action.metavar in others, action
