"""Runs the commands of a page of the documentation, and compares what they print with what the page says.

Two kinds of fenced blocks count, in their order, all in one shell: `sh` (a script to paste, which must work) and
`console` (lines with `$ ` in front are commands, what follows is what they print, where `...` stands for anything).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools import require

_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.M | re.S)
_MARK = "::step "


@dataclass(frozen=True)
class Step:
    """A command: its text, whether it must end with 0, and what it prints according to the page (None: not said)."""

    command: str
    must_work: bool
    output: tuple[str, ...] | None


@dataclass(frozen=True)
class Done:
    """A step that was run: its exit status, and the lines that it printed on either stream."""

    step: Step
    status: int
    lines: tuple[str, ...]

    def as_told(self) -> bool:
        """True when it printed what the page says."""
        if self.step.output is None:
            return True
        told = "\n".join(line.rstrip() for line in self.step.output)
        pattern = ".*".join(re.escape(part) for part in told.split("..."))
        return re.fullmatch(pattern, "\n".join(line.rstrip() for line in self.lines), re.S) is not None


def steps(page: Path) -> list[Step]:
    """The commands of a page."""
    found = []
    for kind, text in _BLOCK.findall(page.read_text("utf-8")):
        if kind == "sh":
            found.append(Step(text.rstrip("\n"), True, None))
            continue
        command: list[str] = []
        output: list[str] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                if command:
                    found.append(Step("\n".join(command), False, tuple(output)))
                command, output = [line[2:]], []
            else:
                output.append(line)
        found.append(Step("\n".join(command), False, tuple(output)))
    return found


def walk(page: Path, folder: Path, environment: dict[str, str]) -> list[Done]:
    """Run all commands of a page in a folder, one after the other in one shell."""
    todo = steps(page)
    script = []
    for number, step in enumerate(todo):
        script += [f"printf '\\n{_MARK}{number}\\n'", step.command, f"printf '\\n{_MARK}status %d\\n' \"$?\""]
    path = folder / "walk.sh"
    path.write_text("exec 2>&1\n" + "\n".join(script) + "\n", "utf-8")
    run = subprocess.run(
        [require("bash"), path.name], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    chunks = re.split(rf"\n{_MARK}\d+\n", run.stdout)[1:]
    assert len(chunks) == len(todo), run.stdout[-2000:]
    done = []
    for step, chunk in zip(todo, chunks, strict=True):
        text, _, status = chunk.rpartition(f"\n{_MARK}status ")
        lines = tuple(text.splitlines())
        while lines and not lines[-1]:
            lines = lines[:-1]
        done.append(Done(step, int(status), lines))
    return done


def problems(done: list[Done]) -> list[str]:
    """What went otherwise than the page says."""
    found = []
    for one in done:
        if one.step.must_work and one.status:
            found.append(f"{one.step.command}\nended with {one.status}:\n" + "\n".join(one.lines))
        elif not one.as_told():
            found.append(f"$ {one.step.command}\nprinted:\n" + "\n".join(one.lines))
    return found
