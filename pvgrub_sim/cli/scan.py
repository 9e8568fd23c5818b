"""`pvgrub-sim scan`: look at many images, and keep what was seen in a store."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pvgrub_sim import EngineError, ScanSummary
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import complain
from pvgrub_sim.cli.progress import progress_of

INTERRUPTED = 128 + 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = (
        "Exit status: 0 everything boots, 1 something does not, 2 something cannot be read, or usage, 3 something "
        "boots only by fallback, 130 stopped. `pvgrub-sim fleet STORE` reports."
    )
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="image, folder (looked through, by content), pattern, @list, - (a list on standard input), "
        "s3://bucket/prefix/, or ami:self (all paravirtual AMIs of the account and region)",
    )
    parser.add_argument("--store", metavar="STORE", required=True, help="SQLite file that keeps what is seen: scan.db")
    parser.add_argument(
        "--pvgrub", metavar="VERSION", action="append", default=[], help="PV-GRUB version; may be given several times"
    )
    parser.add_argument(
        "--aki",
        metavar="AKI",
        action="append",
        default=[],
        help="an AKI, or auto: that of each AMI; may be given several times",
    )
    parser.add_argument("--region", metavar="R", help="region of AWS (default: that of the environment)")
    parser.add_argument("--jobs", metavar="N", type=int, help="worker processes (default: one a CPU)")
    parser.add_argument("--dask", metavar="ADDRESS", help="use a Dask cluster: tcp://scheduler:8786 (extra: fleet)")
    parser.add_argument("--dask-local", metavar="N", type=int, help="use Dask with N workers on this machine")
    parser.add_argument("--fresh", action="store_true", help="forget what the store knows, and look at everything")
    parser.add_argument("--timeout", metavar="S", type=float, default=60.0, help="seconds for an image (default: 60)")
    parser.add_argument(
        "--memory", metavar="MIB", type=int, default=3072, help="MiB of address space for a worker (default: 3072)"
    )
    parser.add_argument("--no-findings", action="store_true", help="look for no causes and remedies, which is faster")
    parser.add_argument("--no-unpack", action="store_true", help="as for boot: check kernels' headers only")
    parser.add_argument("--config", metavar="PATH", help="config file as a Xen domain's extra= gives it")
    parser.add_argument("--device", help="device name of the disks (default: /dev/sda1)")
    parser.add_argument(
        "--instance-type", metavar="TYPE", help="EC2's instance type on which they are to run, as for boot: m1.small"
    )
    configure_image(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    """Scan, and say in one line what it came to; returns the exit status."""
    from pvgrub_sim import ScanSettings, UsageError, dask_engine, local_engine, scan

    if sum(option is not None for option in (args.jobs, args.dask, args.dask_local)) > 1:
        raise UsageError("--jobs, --dask and --dask-local exclude each other")
    if args.dask is not None or args.dask_local is not None:
        engine = dask_engine(args.dask, local=args.dask_local)
    else:
        engine = local_engine(args.jobs)
    options = image_options(args)
    access = options["access"]
    settings = ScanSettings(
        timeout=args.timeout,
        memory=args.memory,
        findings=not args.no_findings,
        unpack=not args.no_unpack,
        config=args.config,
        device=args.device,
        instance_type=args.instance_type,
        image_format=options["image_format"],
        allow_backing=access.allow_backing,
        spool_limit=access.spool_limit,
        cache=access.cache,
        key=access.key,
    )
    with _stopping() as stop, progress_of(quiet=args.quiet) as progress:
        try:
            summary = scan(
                args.sources,
                store=args.store,
                versions=[*args.pvgrub, *args.aki],
                engine=engine,
                settings=settings,
                region=args.region,
                fresh=args.fresh,
                on_progress=progress,
                stop=lambda: stop.asked,
            )
        except EngineError as error:
            complain(error)
            return 2
        except KeyboardInterrupt:
            complain("stopped at once; what was finished is kept, and the next run goes on there")
            return INTERRUPTED
    print(_words(summary))
    return _status(summary)


class _Stop:
    """Whether someone wants the scan to end."""

    asked = False


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """The first Ctrl-C asks for an end, the second one ends at once."""
    stop = _Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True
        print("\npvgrub-sim: finishing what is in hand; once more stops at once", file=sys.stderr)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _words(summary: ScanSummary) -> str:
    counts = ", ".join(f"{count:,} {word}" for word, count in summary.statuses.items())
    unchanged = f", {summary.unchanged:,} unchanged" if summary.unchanged else ""
    end = "" if summary.finished else "; not finished: run it again to go on"
    looked = f"{summary.looked:,} looked at{unchanged} in {summary.seconds:.1f} s"
    return f"{summary.images:,} images, {looked}: {counts or 'nothing'}{end}"


def _status(summary: ScanSummary) -> int:
    if not summary.finished:
        return INTERRUPTED
    for words, status in ((("unreadable", "killed"), 2), (("down",), 1), (("fallback",), 3)):
        if any(summary.statuses.get(word) for word in words):
            return status
    return 0
