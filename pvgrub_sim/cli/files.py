"""`pvgrub-sim ls` and `pvgrub-sim cat`: files as PV-GRUB's own drivers see them, or as the survey does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

from pvgrub_sim import ImageFileError, one_line, printable
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import complain
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import DirectoryEntry

LETTERS = {"file": "-", "directory": "d", "link": "l", "other": "?", "unknown": "?"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of either command."""
    listing = parser.prog.endswith(" ls")
    parser.add_argument("image", metavar="IMAGE", help="disk image or block device (only ever read)")
    omitted = "; without it the devices are listed" if listing else ""
    example = "'(hd0,0)/boot/'" if listing else "'(hd0)/boot/grub/menu.lst'"
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?" if listing else None,
        help=f"device and path as in a menu.lst: {example}{omitted}",
    )
    parser.add_argument("--survey", action="store_true", help="read as a modern system would, not as PV-GRUB does")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--aki", metavar="AKI", help="PV-GRUB of this AKI: aki-176bf516 or pv-grub-hd0_1.04-x86_64.gz")
    version.add_argument("--pvgrub", metavar="VERSION", help="PV-GRUB version (default: Amazon's newest)")
    parser.add_argument("--arch", choices=("x86_64", "i386"), help="which build of PV-GRUB (default: x86_64)")
    if listing:
        shape = parser.add_mutually_exclusive_group()
        shape.add_argument("-l", "--long", action="store_true", help="with type and size")
        shape.add_argument("-0", "--null", action="store_true", help="names as they are, each followed by a NUL")
    configure_image(parser)
    parser.set_defaults(list=listing)


def run(args: argparse.Namespace) -> int:
    """List or print; 1 and a line on standard error where the file cannot be read."""
    from pvgrub_sim import iter_file, list_directory

    if args.path is None:
        return _devices(args)
    path = os.fsencode(args.path)
    options = {"aki": args.aki, "pvgrub": args.pvgrub, "arch": args.arch, "survey": args.survey, **image_options(args)}
    try:
        if args.list:
            entries = list_directory(args.image, path, **options, details=args.long)
            sys.stdout.buffer.writelines(_line(entry, args) for entry in entries)
        elif sys.stdout.isatty():
            _show(iter_file(args.image, path, **options))
        else:
            sys.stdout.buffer.writelines(iter_file(args.image, path, **options))
    except ImageFileError as error:
        sys.stdout.flush()
        complain(error)
        return 1
    return 0


def _devices(args: argparse.Namespace) -> int:
    """List what PATH may begin with."""
    from pvgrub_sim import UsageError, list_devices

    if args.survey:
        raise UsageError("--survey wants a PATH; `pvgrub-sim inspect` shows what is on an image")
    end = "\0" if args.null else "\n"
    devices = list_devices(args.image, aki=args.aki, pvgrub=args.pvgrub, arch=args.arch, **image_options(args))
    for device in devices:
        size = f"{device.length:>14}  " if args.long else ""
        filesystem = f"  {device.filesystem or '(PV-GRUB mounts no filesystem)'}" if args.long else ""
        sys.stdout.write(f"{size}{device.name}{filesystem}{end}")
    return 0


def _show(pieces: Iterable[bytes]) -> None:
    """Print a file for people: nothing in it steers the terminal."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for piece in pieces:
        sys.stdout.write(printable(decoder.decode(piece)))
    sys.stdout.write(printable(decoder.decode(b"", True)))


def _line(entry: DirectoryEntry, args: argparse.Namespace) -> bytes:
    """A line of the listing, escaped; with -0 the name as it is on the image, whatever its bytes."""
    if args.null:
        return entry.name.encode("utf-8", "surrogateescape") + b"\0"
    return one_line(_described(entry, args)).encode("utf-8", "backslashreplace") + b"\n"


def _described(entry: DirectoryEntry, args: argparse.Namespace) -> str:
    name = entry.name
    if not args.long:
        return name
    size = "?" if entry.kind == "unknown" else "-" if entry.kind == "directory" else str(entry.size)
    if args.survey:
        target = "" if entry.target is None else f" -> {entry.target}"
        name, size = name + target, f"{LETTERS[entry.kind]} {size:>12}"
    elif entry.kind == "directory":
        name += "/"
    error = f"  ({entry.error})" if entry.error else ""
    return f"{size:>12}  {name}{error}"
