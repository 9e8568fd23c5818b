"""`pvgrub-sim boot`: what PV-GRUB would do with a disk image."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack

from pvgrub_sim import REPORT_FORMATS, ImageError, IsolationError, UsageError, printable
from pvgrub_sim.cli.judgement import check_judgement, configure_judgement, exit_status, fail_on, judged
from pvgrub_sim.cli.machine import configure_machine, machine_options
from pvgrub_sim.cli.output import complain, keep_inputs, write_file
from pvgrub_sim.cli.trouble import LACKING, complain_of_memory, lacks_memory
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pvgrub_sim import Disk, Key, MachineOptions, Verdict

WORST_FIRST = (2, 1, 3, 0)
"""Exit statuses from worst to best: of several images the worst counts."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "images", metavar="IMAGE", nargs="*", help="disk image, block device or glob pattern (images are only read)"
    )
    parser.add_argument(
        "--xl-config",
        metavar="FILE",
        help="the configuration of a Xen domain: its disks, PV-GRUB's argument and memory, in the place of IMAGE; "
        "--disk DEVICE=IMAGE says where the image of one of its disks lies here",
    )
    parser.set_defaults(usage_error=parser.error)
    configure_machine(parser)
    parser.add_argument("--ari", metavar="ARI", help="ramdisk image that goes with the image: ari-…")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        help="seconds for each image, after which there is no answer: the outcome `timeout`",
    )
    parser.add_argument(
        "--no-unpack",
        action="store_true",
        help="check menu, files and kernel headers only, and look for causes only when that does not boot",
    )
    parser.add_argument("--format", choices=REPORT_FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to FILE instead of standard output")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--console", action="store_true", help="print all that the Xen console shows, and nothing else")
    shown.add_argument("--log", action="store_true", help="print only what it shows from the first entry on, no menus")
    parser.add_argument("--keys", metavar="FILE", help="keys that somebody presses: `idle down`, `@2.5 enter` …")
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="look at each image in a child process that can read the named files and the folders of --allow-backing, "
        "and do nothing else",
    )
    configure_judgement(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate the boot of each image, print one report, return the worst exit status."""
    check_judgement(args)
    if args.xl_config is None and not args.images:
        args.usage_error("the following arguments are required: IMAGE")
    keys = _keys(args.keys)
    with ExitStack() as stack:
        images, options = _inputs(args, stack)
        verdicts, statuses = _look(images, options, args, keys)
    if verdicts:
        _write(_render(verdicts, args), args.output)
    return min(statuses, key=WORST_FIRST.index)


def _inputs(args: argparse.Namespace, stack: ExitStack) -> tuple[Sequence[str | Disk], MachineOptions]:
    """The images, and the options of boot(); stack: closes what is opened for them."""
    if args.xl_config is None:
        images = _expand(args.images)
        keep_inputs(args.output, images)
        return images, machine_options(args)
    from pvgrub_sim.cli.domain import domain_options

    first, options, paths = domain_options(args, stack)
    keep_inputs(args.output, paths)
    return [first], options


def _look(
    images: Sequence[str | Disk], options: MachineOptions, args: argparse.Namespace, keys: Sequence[Key] | None
) -> tuple[list[Verdict], list[int]]:
    """The verdicts that are to be reported, and the exit status of each image."""
    verdicts: list[Verdict] = []
    statuses: list[int] = []
    for image in images:
        verdict = None
        try:
            verdict = judged(_simulate(image, args, keys, options), args)
        except (ImageError, IsolationError) as error:
            complain(error)
            statuses.append(2)
            continue
        except LACKING as error:
            if not lacks_memory(error):
                raise
        if verdict is None:
            # Behind the handler, since the exception keeps all that was being done.
            complain_of_memory(image if isinstance(image, str) else image.name)
            statuses.append(2)
            continue
        statuses.append(exit_status(verdict, allow_fallback=args.allow_fallback, fail_on=fail_on(args)))
        if statuses[-1] or not args.quiet:
            verdicts.append(verdict)
    return verdicts, statuses


def _seconds(text: str) -> float:
    """A positive number of seconds."""
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ValueError
    return seconds


def _expand(words: list[str]) -> list[str]:
    """The images that the arguments name; a pattern that the shell left as it is becomes the files it matches.

    After `file:` as well; what is there under that very name is no pattern.
    """
    if not any(char in word for word in words for char in "*?["):
        return words
    from pathlib import Path

    images: list[str] = []
    for word in words:
        path = word if os.path.lexists(word) else _of_file(word)
        if not any(char in path for char in "*?[") or "://" in path or os.path.lexists(path):
            images.append(word)
            continue
        pattern = Path(path)
        base = Path(pattern.anchor)
        try:
            found = sorted(map(str, base.glob(str(pattern.relative_to(base)))))
        except (ValueError, OSError) as error:
            raise UsageError(f"{word}: {str(error).lower()}") from None
        if not found:
            raise UsageError(f"{word}: no file matches")
        images += map(_as_path, found)
    return images


def _of_file(word: str) -> str:
    """The path behind `file:`; any other word as it is."""
    path = word.removeprefix("file:")
    return path.removeprefix("//") if path != word and path.startswith("///") else path


def _as_path(found: str) -> str:
    """A file that was found, by a name that means it: of a folder called `http:` as well."""
    folder, slash, _ = found.partition("/")
    return f"./{found}" if slash and ":" in folder else found


def _keys(path: str | None) -> Sequence[Key] | None:
    if path is None:
        return None
    from pvgrub_sim import read_keys

    return read_keys(path)


def _simulate(
    image: str | Disk, args: argparse.Namespace, keys: Sequence[Key] | None, options: MachineOptions
) -> Verdict:
    unpack, ignore = not args.no_unpack, dict(args.ignore)
    if args.isolate:
        from pvgrub_sim import boot_isolated

        assert isinstance(image, str), "domain_options() opens nothing for an isolated run"
        return boot_isolated(
            image, ari=args.ari, timeout=args.timeout, unpack=unpack, keys=keys, ignore=ignore, **options
        )
    from pvgrub_sim import boot

    return boot(image, ari=args.ari, timeout=args.timeout, unpack=unpack, keys=keys, ignore=ignore, **options)


def _render(verdicts: list[Verdict], args: argparse.Namespace) -> str:
    if args.log:
        return "".join(printable(verdict.console) + "\n" for verdict in verdicts if verdict.console)
    if args.console:
        from pvgrub_sim import console_text

        return "".join(printable(console_text(verdict.transcript)) for verdict in verdicts)
    from pvgrub_sim import render_report

    color = args.output is None and sys.stdout.isatty()
    return render_report(verdicts, args.format, color=color, allow_fallback=args.allow_fallback, fail_on=fail_on(args))


def _write(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    write_file(output, text.encode("utf-8", "backslashreplace"))
