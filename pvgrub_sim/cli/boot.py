"""`pvgrub-sim boot`: what PV-GRUB would do with a disk image."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pvgrub_sim import REPORT_FORMATS, ImageError, UsageError, printable
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import complain, keep_inputs, write_file

if TYPE_CHECKING:
    from pvgrub_sim import Verdict

WORST_FIRST = (2, 1, 3, 0)
"""Exit statuses from worst to best: of several images the worst counts."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="disk image, block device or glob pattern (images are only read)"
    )
    parser.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="DEVICE=IMAGE",
        help="attach a further disk, e.g. /dev/sdb=data.img; disks are ordered by vbd number",
    )
    configure_image(parser)
    parser.add_argument("--device", help="device name of the first disk (default: /dev/sda1, or the AMI's root device)")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--aki", metavar="AKI", help="PV-GRUB of this AKI: aki-176bf516 or pv-grub-hd0_1.04-x86_64.gz")
    version.add_argument("--pvgrub", metavar="VERSION", help="PV-GRUB version: amazon-1.01 … amazon-1.05, xen-4.2 …")
    parser.add_argument(
        "--arch",
        choices=("auto", "x86_64", "i386"),
        default="auto",
        help="which build of PV-GRUB; auto (default): that of the kernel",
    )
    parser.add_argument(
        "--config", metavar="PATH", help="config file as a Xen domain's extra= gives it: '(hd0)/boot/grub/menu.lst'"
    )
    parser.add_argument(
        "--ami", metavar="FILE", help="JSON of `aws ec2 describe-images`: AKI, ARI, architecture and root device"
    )
    parser.add_argument("--ari", metavar="ARI", help="ramdisk image that goes with the image: ari-…")
    parser.add_argument("--memory", metavar="MIB", type=int, help="the domain's memory in MiB (default: 256)")
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
    parser.add_argument("--console", action="store_true", help="print only what the Xen console would show")
    parser.add_argument("--allow-fallback", action="store_true", help="exit 0 when any entry boots, also a fallback")


def run(args: argparse.Namespace) -> int:
    """Simulate the boot of each image, print one report, return the worst exit status."""
    verdicts: list[Verdict] = []
    statuses: list[int] = []
    images = _expand(args.images)
    keep_inputs(args.output, [*images, *(_named_disk(text)[1] for text in args.disk), args.ami])
    for image in images:
        try:
            verdict = _simulate(image, args)
        except ImageError as error:
            complain(error)
            statuses.append(2)
            continue
        verdicts.append(verdict)
        statuses.append(exit_status(verdict, allow_fallback=args.allow_fallback))
    if verdicts:
        _write(_render(verdicts, args), args.output)
    return min(statuses, key=WORST_FIRST.index)


def _seconds(text: str) -> float:
    """A positive number of seconds."""
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ValueError
    return seconds


def _expand(words: list[str]) -> list[str]:
    """The images that the arguments name; a pattern that the shell left as it is becomes the files it matches."""
    if not any(char in word for word in words for char in "*?["):
        return words
    from pathlib import Path

    images: list[str] = []
    for word in words:
        if not any(char in word for char in "*?[") or "://" in word or Path(word).exists():
            images.append(word)
            continue
        pattern = Path(word)
        base = Path(pattern.anchor)
        try:
            found = sorted(map(str, base.glob(str(pattern.relative_to(base)))))
        except ValueError as error:
            raise UsageError(f"{word}: {str(error).lower()}") from None
        if not found:
            raise UsageError(f"{word}: no file matches")
        images += found
    return images


def _simulate(image: str, args: argparse.Namespace) -> Verdict:
    from pvgrub_sim import boot

    return boot(
        image,
        disks=dict(_named_disk(text) for text in args.disk),
        device=args.device,
        aki=args.aki,
        pvgrub=args.pvgrub,
        arch=args.arch,
        config=args.config,
        ami=args.ami,
        ari=args.ari,
        memory=args.memory,
        timeout=args.timeout,
        unpack=not args.no_unpack,
        **image_options(args),
    )


def exit_status(verdict: Verdict, *, allow_fallback: bool = False) -> int:
    """0 the default entry boots (or any, with allow_fallback), 3 only a fallback boots, 1 nothing boots."""
    from pvgrub_sim import Outcome

    if verdict.outcome is not Outcome.BOOTS:
        return 1
    return 0 if allow_fallback or verdict.boots_default else 3


def _named_disk(text: str) -> tuple[str, str]:
    device, equals, path = text.partition("=")
    if not equals or not device or not path:
        raise UsageError(f"--disk wants DEVICE=IMAGE (/dev/sdb=data.img), not {text!r}")
    return device, path


def _render(verdicts: list[Verdict], args: argparse.Namespace) -> str:
    if args.console:
        return "".join(printable(verdict.console) + "\n" for verdict in verdicts if verdict.console)
    from pvgrub_sim import render_report

    color = args.output is None and sys.stdout.isatty()
    return render_report(verdicts, args.format, color=color, allow_fallback=args.allow_fallback)


def _write(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    write_file(output, text.encode("utf-8", "backslashreplace"))
