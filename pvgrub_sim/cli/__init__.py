"""The command line: one module a command, imported only when it is called.

Arguments are parsed and answers printed here, through the package's public names; nothing is found out.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pvgrub_sim import PvgrubSimError, __version__, one_line
from pvgrub_sim.cli.output import complain, files_of, keep_named, refuse_addresses
from pvgrub_sim.cli.trouble import (
    LACKING,
    complain_of_memory,
    give_up_output,
    lacks_memory,
    was_writing,
)
from pvgrub_sim.typed import NoReturn

UNREADABLE = 2
"""The exit status of what cannot be done."""
SIGINT = 128 + 2
SIGPIPE = 128 + 13
"""The exit status that a shell gives to a program which dies of these signals."""
COMMANDS: dict[str, tuple[str, str]] = {
    "boot": ("boot", "tell what PV-GRUB would do with a disk image"),
    "fix": ("fix", "mend a disk image on a copy, and prove that it boots"),
    "console": ("console", "work PV-GRUB's menu and prompt on a disk image, live or with keys from a file"),
    "inspect": ("inspect", "show what is really on a disk image: partitions, filesystems, kernels"),
    "ls": ("files", "list a directory of a disk image as PV-GRUB sees it"),
    "cat": ("files", "print a file of a disk image as PV-GRUB reads it"),
    "kernel": ("kernel", "show what a kernel is, and which versions of PV-GRUB boot it"),
    "extract": ("extract", "write the unpacked ELF file of a kernel"),
    "repack": ("repack", "write a kernel anew, in a form that an older PV-GRUB boots"),
    "aki": ("aki", "look up Amazon's PV-GRUB kernel images, and which an AMI or image needs"),
    "scan": ("scan", "look at many disk images: folders, lists, buckets, an account's AMIs"),
    "fleet": ("fleet", "report what a scan has seen, and what changed since an older one"),
    "explain": ("explain", "tell what a rule of the findings means, and what to do about it"),
    "completion": ("completion", "print a script that completes commands, options and files in a shell"),
}
"""Command: module of this package, and what it does. A module has `configure(parser)` and `run(args) -> int`."""


WITH_PROJECT = ("boot", "fix", "console")
"""The commands that take options from a project file."""


class Help(argparse.HelpFormatter):
    """argparse's formatter without its import of shutil, which every start would pay for."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns
        except (OSError, ValueError):
            columns = 80
        super().__init__(prog, width=max(columns, 40) - 2)


class Parser(argparse.ArgumentParser):
    """argparse's parser; what it quotes of the arguments is shown escaped."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit with status 2."""
        from pvgrub_sim import without_secrets

        super().error(one_line(without_secrets(message)))


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole parser; or one of the command `only` alone, if that is one; or one whose commands have no arguments.

    The latter two start faster.
    """
    parser = Parser(
        prog="pvgrub-sim",
        formatter_class=Help,
        description="Tells offline what PV-GRUB, the boot loader of Xen paravirtual guests, does with a disk image.",
        epilog="Exit status: 0 the default entry boots, 1 nothing boots, 2 usage or unreadable input, "
        "3 only a fallback boots.",
    )
    parser.add_argument("--version", action="version", version=f"pvgrub-sim {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="pvgrub-sim")
    for name, (module, help_text) in COMMANDS.items():
        if only in COMMANDS and name != only:
            # The parsers of the other commands could not be reached.
            continue
        about = help_text[0].upper() + help_text[1:] + "."
        sub = commands.add_parser(name, help=help_text, description=about, formatter_class=Help)
        if only in (None, name):
            import_module(f"pvgrub_sim.cli.{module}").configure(sub)
            sub.set_defaults(files=files_of(sub))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    argv: the arguments without the program's name; None takes them from sys.argv.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace()
    try:
        return _run(words, args)
    except PvgrubSimError as error:
        complain(error)
        return UNREADABLE
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        give_up_output()
        return SIGPIPE
    except KeyboardInterrupt:
        return SIGINT
    except LACKING as error:
        if not lacks_memory(error):
            if not isinstance(error, OSError):
                raise
            _complain_of_system(error)
            return UNREADABLE
    # Behind the handler, since the exception keeps all that was being done.
    complain_of_memory(getattr(args, "image", None) or getattr(args, "kernel", None))
    return UNREADABLE


def _run(words: list[str], args: argparse.Namespace) -> int:
    """Run a command; its arguments are put into args."""
    named = next((word for word in words if not word.startswith("-")), None)
    vars(args).update(vars(_arguments(words, named)))
    keep_named(args)
    refuse_addresses(args)
    status: int = import_module(f"pvgrub_sim.cli.{COMMANDS[args.command][0]}").run(args)
    sys.stdout.flush()
    return status


def _complain_of_system(error: OSError) -> None:
    """Say what the system did not do."""
    reason = (error.strerror or str(error)).lower()
    if was_writing(error):
        give_up_output()
        reason = f"cannot write: {reason}"
    complain(reason)


def _arguments(words: list[str], named: str | None) -> argparse.Namespace:
    """The arguments, with what a project file says where they say nothing; raises UsageError."""
    parser = build_parser(named or "")
    if named not in WITH_PROJECT:
        return parser.parse_args(words)
    from pvgrub_sim.cli.project import parse

    return parse(parser, named, words)


def entry() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by the caller: whatever is opened next must not take its place.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  (for the whole run)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name or a line of a picture that the terminal's encoding does not have is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    _end(main())


def _end(status: int) -> NoReturn:
    """End the process, without taking every module apart first as Python does: that frees what ends anyway."""
    gc.freeze()
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        # Python waits for them.
        sys.exit(status)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        # Python has its own way to tell of output that is lost.
        sys.exit(status)
    os._exit(status)
