"""`pvgrub-sim fix`: an image is mended on a copy, and what came out is booted."""

from __future__ import annotations

import argparse
import sys

from pvgrub_sim import UsageError, one_line
from pvgrub_sim.cli.machine import configure_machine, ignored, machine_options
from pvgrub_sim.cli.output import write_file

STEP = 64 << 20
"""Bytes between two words on how far a copy is."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", metavar="IMAGE", help="disk image; it is only read, unless it is mended in place")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("-o", "--output", metavar="OUT", help="where the mended image goes; it must not exist")
    place.add_argument("--in-place", action="store_true", help="the mended copy takes the image's place, when it boots")
    place.add_argument("--dry-run", action="store_true", help="mend a copy, tell what came of it, and drop it")
    place.add_argument(
        "--script", metavar="FILE", help="only write the plan as a script for a shell; - is standard output"
    )
    configure_machine(parser)
    parser.add_argument("--ari", metavar="ARI", help="ramdisk image that goes with the image: ari-…")
    parser.add_argument(
        "--only", action="append", default=[], metavar="RULE", help="carry out the steps of this rule only"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="RULE", type=ignored, help="leave out the steps of this rule"
    )
    parser.add_argument(
        "--keep-partial", action="store_true", help="write what came out although the default entry does not boot"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report (default: text)")


def run(args: argparse.Namespace) -> int:
    """Mend the image and report; 0 when its default entry boots afterwards, else 1."""
    from pvgrub_sim import RepairError, all_rules, fix, render_fix

    left_out = [rule for rule, _ in args.ignore]
    for name in (*args.only, *left_out):
        if name not in all_rules():
            raise UsageError(f"there is no rule {name!r}: `pvgrub-sim explain` lists them")
    options = {**machine_options(args), "ari": args.ari}
    if args.script is not None:
        return _script(args, options)
    progress = _Progress() if sys.stderr.isatty() else None
    try:
        fixed = fix(
            args.image,
            args.output,
            in_place=args.in_place,
            keep_partial=args.keep_partial,
            only=args.only,
            ignore=left_out,
            progress=progress,
            say=progress.say if progress else None,
            **options,
        )
    except RepairError as error:
        raise UsageError(f"{error.image}: {error.reason}") from None
    finally:
        if progress:
            progress.clear()
    sys.stdout.write(render_fix(fixed, args.format))
    return 0 if fixed.mended else 1


def _script(args: argparse.Namespace, options: dict[str, object]) -> int:
    """Write the plan as a script; 0 when it makes the default entry boot, as far as that was run."""
    from pvgrub_sim import boot

    verdict = boot(args.image, **options)  # type: ignore[arg-type]  # as machine_options() makes them
    plan = verdict.plan
    if plan is None or not plan.script:
        raise UsageError(f"{verdict.image}: there is no step to write down")
    write_file(args.script, (plan.script + "\n").encode("utf-8", "backslashreplace"))
    return 0 if plan.proven else 1


class _Progress:
    """One line on a terminal, written over and over."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, done: int, size: int) -> None:
        if done - self._last >= STEP or done == size:
            self._last = done
            self.say(f"copied {done >> 20} of {size >> 20} MiB")

    def say(self, text: str) -> None:
        """Tell what is being done."""
        print(f"\r\x1b[K{one_line(text)[:76]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave nothing of the line."""
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
