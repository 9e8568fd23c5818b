"""`pvgrub-sim completion`: a script that completes commands, options and files in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pvgrub_sim import UsageError

SHELLS = ("bash", "zsh", "fish", "tcsh")
FILE_METAVARS = frozenset({"IMAGE", "FILE", "KERNEL", "DIR", "CONFIG"})
"""Arguments with these metavars are completed with file names."""

_NEEDED = "completion needs the package shtab: pip install 'pvgrub-sim[completion]'"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "For bash: pvgrub-sim completion bash > ~/.local/share/bash-completion/completions/pvgrub-sim"
    parser.add_argument("shell", choices=SHELLS, help="the shell to write the script for")


def run(args: argparse.Namespace) -> int:
    """Print the script; needs the package shtab, raises UsageError without it."""
    try:
        import shtab
    except ImportError:
        raise UsageError(_NEEDED) from None
    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise UsageError(f"the shtab installed does not know {args.shell}; {_NEEDED}")
    from pvgrub_sim.cli import build_parser

    parser = build_parser()
    for action in _actions(parser):
        if action.metavar in FILE_METAVARS and not action.choices:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
    print(shtab.complete(parser, shell=args.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
        else:
            yield action
