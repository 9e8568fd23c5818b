"""`pvgrub-sim console`: PV-GRUB's menu and prompt in the terminal, or with keys from a file."""

from __future__ import annotations

import argparse
import sys

from pvgrub_sim import UsageError, one_line, printable
from pvgrub_sim.cli.judgement import exit_status
from pvgrub_sim.cli.machine import configure_machine, machine_options
from pvgrub_sim.cli.output import write_file
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import Verdict

ABOUT = (
    "Keys go to PV-GRUB as they are pressed; Ctrl-] leaves it where it is and tells what came of it, Ctrl-C ends the "
    "program. The image is only read."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = ABOUT
    parser.add_argument("image", metavar="IMAGE", help="disk image or block device (only read)")
    configure_machine(parser)
    parser.add_argument(
        "--keys",
        metavar="FILE",
        help="press the keys of FILE instead, on a clock of their own: `idle down`, `@2 enter` …",
    )
    parser.add_argument("--raw", metavar="FILE", help="write every byte that PV-GRUB puts on the Xen console to FILE")
    parser.add_argument("--allow-fallback", action="store_true", help="exit 0 when any entry boots, also a fallback")


def run(args: argparse.Namespace) -> int:
    """Play or show the session, print what came of it, return the exit status of boot."""
    verdict = _live(args) if args.keys is None else _typed(args)
    if args.raw is not None:
        write_file(args.raw, verdict.transcript)
    if args.raw != "-":
        _print_result(verdict)
    return exit_status(verdict, allow_fallback=args.allow_fallback)


def _typed(args: argparse.Namespace) -> Verdict:
    from pvgrub_sim import boot, console_text, read_keys

    verdict = boot(args.image, keys=read_keys(args.keys), findings=False, **machine_options(args))
    if args.raw != "-":
        sys.stdout.write(printable(console_text(verdict.transcript)) + "\n")
    return verdict


def _live(args: argparse.Namespace) -> Verdict:
    from pvgrub_sim import interact
    from pvgrub_sim.cli.terminal import RawTerminal

    if args.raw == "-":
        raise UsageError("--raw - leaves no standard output for the screen; give a file, or --keys")
    options = machine_options(args)
    with RawTerminal() as terminal:
        return interact(
            args.image, terminal.keyboard, terminal.show, wake=terminal.wake, wake_fd=terminal.wake_fd, **options
        )


def _print_result(verdict: Verdict) -> None:
    """What is handed over, and the verdict in one line."""
    from pvgrub_sim import handed_over, headline

    for name, value in handed_over(verdict):
        print(f"{name:<10} {value}")
    print(f"{one_line(verdict.image)}: {headline(verdict)}")
