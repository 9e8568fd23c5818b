"""`pvgrub-sim repack`: the same kernel in a form that an older PV-GRUB boots."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from pvgrub_sim import UsageError
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.kernel import versions
from pvgrub_sim.cli.output import KERNEL_HELP, complain, write_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kernel", metavar="KERNEL", help=KERNEL_HELP)
    configure_image(parser)
    parser.add_argument(
        "--payload",
        choices=("gzip", "xz", "none", "elf-gz"),
        default="gzip",
        help="gzip (default, boots on every version), xz, none: a bzImage with this payload; "
        "elf-gz: the bare ELF file, gzipped, which GRUB itself unpacks",
    )
    parser.add_argument(
        "--level", metavar="N", type=int, help="how hard to pack: gzip 1 to 9 (default: 9), xz 0 to 9 (default: 6)"
    )
    parser.add_argument("--pvgrub", metavar="VERSION", help="make sure that this version of PV-GRUB boots it")
    parser.add_argument(
        "--pv-only",
        action="store_true",
        help="leave out what only other boot loaders need: smaller, and started by PV-GRUB alone",
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("-o", "--output", metavar="FILE", help="where the kernel goes; - is standard output")
    place.add_argument("--in-place", action="store_true", help="write it over the kernel file")


def run(args: argparse.Namespace) -> int:
    """Write the kernel, and say on standard error what boots it; 1 and no file when no PV-GRUB that counts would."""
    from pvgrub_sim import PROFILES, examine_kernel, find_profile, one_line, repack_kernel, shown_source

    wanted = find_profile(args.pvgrub) if args.pvgrub is not None else None
    options = image_options(args)
    kernel = shown_source(args.kernel)
    if args.in_place and ":" in args.kernel and not os.path.lexists(args.kernel):
        raise UsageError(f"{kernel}: only a kernel file is written in place: give a name with -o")
    try:
        made = repack_kernel(
            args.kernel, args.payload, pv_only=args.pv_only, level=args.level, progress=_progress(), **options
        )
    finally:
        _clear()
    facts = examine_kernel(made)
    boots = [name for name in PROFILES if any(o.boots for o in facts.opinions if o.profile == name)]
    if not boots or (wanted is not None and wanted.name not in boots):
        name = wanted.name if wanted else next(reversed(PROFILES))
        reason = next(o.reason for o in facts.opinions if o.profile == name and o.arch == facts.arch)
        complain(f"{kernel}: not written, for {name} would not boot it: {reason}")
        return 1
    output = args.kernel if args.in_place else args.output
    write_file(output, made)
    which = "every version"
    if len(boots) < len(PROFILES):
        which = ", ".join(versions(group) for group in facts.agreeing() if group[0].boots)
    size = f"{args.payload}, {len(made)} bytes"
    print(one_line(f"{output}: {size}; boots on {which} of PV-GRUB ({facts.arch})"), file=sys.stderr)
    return 0


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _progress() -> Callable[[int, int], None] | None:
    """What shows on the terminal how far packing is; nothing of it stays."""
    if not _on_terminal():
        return None

    def show(done: int, total: int) -> None:
        print(f"\r\x1b[Kpacking: {done >> 20} of {total >> 20} MiB", end="", file=sys.stderr, flush=True)

    return show


def _clear() -> None:
    if _on_terminal():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
