"""Edits of the comments from which Debian's update-grub writes entries: else the next kernel brings a fault back."""

from __future__ import annotations

import re

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import Line
from pvgrub_sim.findings.remedies.edits import append, overwrite, substitute
from pvgrub_sim.findings.remedies.steps import Edit
from pvgrub_sim.typed import Final

KOPT: Final = "# kopt="
GROOT: Final = "# groot="
DEFOPTIONS: Final = "# defoptions="
_ROOT: Final = r"(?<=[= ])root=\S+"


def _lines(case: Case, beginning: str) -> list[Line]:
    found = case.menu.automagic if case.menu else []
    return [line for line in found if line.text.startswith(beginning)]


def root_argument_kept(case: Case, old: str, new: str) -> list[Edit]:
    """`# kopt=root=…` follows, where it has the root argument that a kernel line loses."""
    found = [(line, re.search(_ROOT, line.text)) for line in _lines(case, KOPT)]
    return [substitute(line, there[0], new) for line, there in found if there and there[0] == old]


def console_kept(case: Case, console: str) -> list[Edit]:
    """Kernels to come are given the console as well, where neither `# kopt=` nor `# defoptions=` has it.

    console: its name, `hvc0`.
    """
    word = f"console={console}"
    lines = [*_lines(case, KOPT), *_lines(case, DEFOPTIONS)]
    if not lines or any(word in line.text.split("=", 1)[1].split() for line in lines):
        return []
    return [append(lines[0], f" {word}")]


def device_kept(case: Case, device: str) -> list[Edit]:
    """`# groot=` follows the root line of an entry, where it names anything else."""
    return [
        overwrite(line, f"{GROOT}{device}")
        for line in _lines(case, GROOT)
        if line.text.removeprefix(GROOT).strip() != device
    ]
