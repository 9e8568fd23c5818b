"""`pvgrub-sim completion`: a script that completes commands, options, their values and files in a shell."""

from __future__ import annotations

import argparse
import sys

SCRIPTS = {
    "bash": "pvgrub-sim.bash",
    "zsh": "_pvgrub-sim",
    "fish": "pvgrub-sim.fish",
    "tcsh": "pvgrub-sim.tcsh",
}
"""The shells, and the files of the folder `completions` that docs/generate.py writes for them."""
SHELLS = tuple(SCRIPTS)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "For bash: pvgrub-sim completion bash > ~/.local/share/bash-completion/completions/pvgrub-sim"
    parser.add_argument("shell", choices=SHELLS, help="the shell to write the script for")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from importlib.resources import files

    path = files("pvgrub_sim.cli").joinpath("completions", SCRIPTS[args.shell])
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return 0
