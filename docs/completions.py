"""The completion scripts of the shells, which lie in the package: what shtab makes of the parser, with values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import cache

import shtab

from pvgrub_sim import PROFILES, akis, all_rules
from pvgrub_sim.cli import build_parser
from pvgrub_sim.cli.completion import SCRIPTS
from pvgrub_sim.media.formats.table import FORMATS
from pvgrub_sim.profiles.instance_types import paravirtual

FILE_METAVARS = frozenset({"IMAGE", "FILE", "KERNEL", "DIR", "CONFIG", "OUT", "STORE", "SOURCE"})
"""Arguments with these metavars are completed with file names."""


def _values() -> dict[str, tuple[str, ...]]:
    """What an argument with a metavar may be."""
    ids = tuple(row.id for row in akis.find_akis())
    return {
        "VERSION": tuple(PROFILES),
        "V": tuple(sorted({row.version for row in akis.find_akis()})),
        "AKI": ids,
        "ID|NAME": ids,
        "R": akis.regions(),
        "RULE": tuple(sorted(all_rules())),
        "FORMAT": ("auto", "raw", *(name for name, row in FORMATS.items() if row.opener)),
        "TYPE": tuple(paravirtual()),
        "DEVICE": ("/dev/sda1", "/dev/sda", "/dev/xvda1", "/dev/xvda"),
    }


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
        else:
            yield action


@cache
def script(shell: str) -> str:
    """The script for a shell, ending in a newline."""
    parser = build_parser()
    values = _values()
    for action in _actions(parser):
        if action.choices:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        if metavar in values:
            action.choices = values[metavar]
        elif metavar in FILE_METAVARS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
    lines: str = shtab.complete(parser, shell=shell)
    return "\n".join(line.rstrip() for line in lines.rstrip().split("\n")) + "\n"


WRITERS: dict[str, Callable[[], str]] = {name: (lambda shell=shell: script(shell)) for shell, name in SCRIPTS.items()}
"""The scripts by the names of their files."""
