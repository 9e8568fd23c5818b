"""`pvgrub-sim fleet`: what a scan has seen, as a report, and what changed since an older one."""

from __future__ import annotations

import argparse
import sys

from pvgrub_sim import FLEET_FORMATS
from pvgrub_sim.cli.output import write_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "Exit status: 0; with --diff 1 when something fares worse than before; 2 usage, or no store."
    parser.add_argument("store", metavar="FILE", help="the store that `pvgrub-sim scan` wrote")
    parser.add_argument("--format", choices=FLEET_FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument(
        "--diff", metavar="FILE", help="an older store: report what boots no longer, what boots now, and new findings"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to FILE instead of standard output")


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 when something fares worse than in the older store."""
    from pvgrub_sim import compare_scans, fleet_report

    pieces = fleet_report(args.store, args.format, older=args.diff)
    if args.output is not None:
        write_file(args.output, b"".join(pieces))
    else:
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 1 if args.diff is not None and compare_scans(args.diff, args.store).regression else 0
