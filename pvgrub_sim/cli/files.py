"""`pvgrub-sim ls` and `pvgrub-sim cat`: files as PV-GRUB's own drivers see them, or as the survey does."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from pvgrub_sim import ImageFileError
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import complain

if TYPE_CHECKING:
    from pvgrub_sim import DirectoryEntry

LETTERS = {"file": "-", "directory": "d", "link": "l", "other": "?", "unknown": "?"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of either command."""
    listing = parser.prog.endswith(" ls")
    parser.add_argument("image", metavar="IMAGE", help="disk image or block device (only ever read)")
    example = "'(hd0,0)/boot/'" if listing else "'(hd0)/boot/grub/menu.lst'"
    parser.add_argument("path", metavar="PATH", help=f"device and path as in a menu.lst: {example}")
    parser.add_argument("--survey", action="store_true", help="read as a modern system would, not as PV-GRUB does")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--aki", metavar="AKI", help="PV-GRUB of this AKI: aki-176bf516 or pv-grub-hd0_1.04-x86_64.gz")
    version.add_argument("--pvgrub", metavar="VERSION", help="PV-GRUB version (default: amazon-1.05)")
    parser.add_argument("--arch", choices=("x86_64", "i386"), help="which build of PV-GRUB (default: x86_64)")
    if listing:
        parser.add_argument("-l", "--long", action="store_true", help="with type and size")
    configure_image(parser)
    parser.set_defaults(list=listing)


def run(args: argparse.Namespace) -> int:
    """List or print; 1 and a line on standard error where the file cannot be read."""
    from pvgrub_sim import iter_file, list_directory

    path = os.fsencode(args.path)
    options = {"aki": args.aki, "pvgrub": args.pvgrub, "arch": args.arch, "survey": args.survey, **image_options(args)}
    try:
        if args.list:
            entries = list_directory(args.image, path, **options, details=args.long)
            sys.stdout.buffer.writelines(_line(entry, args) for entry in entries)
        else:
            sys.stdout.buffer.writelines(iter_file(args.image, path, **options))
    except ImageFileError as error:
        sys.stdout.flush()
        complain(error)
        return 1
    return 0


def _line(entry: DirectoryEntry, args: argparse.Namespace) -> bytes:
    """A line of the listing; names as they are on the image, whatever their bytes."""
    name = entry.name.encode("utf-8", "surrogateescape")
    if not args.long:
        return name + b"\n"
    size = "?" if entry.kind == "unknown" else "-" if entry.kind == "directory" else str(entry.size)
    if args.survey:
        target = b"" if entry.target is None else b" -> " + entry.target.encode("utf-8", "surrogateescape")
        name, size = name + target, f"{LETTERS[entry.kind]} {size:>12}"
    elif entry.kind == "directory":
        name += b"/"
    error = f"  ({entry.error})".encode() if entry.error else b""
    return f"{size:>12}  ".encode() + name + error + b"\n"
