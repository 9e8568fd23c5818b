"""`pvgrub-sim ls` and `pvgrub-sim cat`: files as PV-GRUB's own drivers see them, or as the survey does."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pvgrub_sim.errors import UsageError

if TYPE_CHECKING:
    from pvgrub_sim.grub.errnum import GrubError
    from pvgrub_sim.grub.machine import Machine
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.survey.tree import Node, Reader

CHUNK = 1 << 20
_NAME = re.compile(r"(\(hd0(?:,\d+)?(?:,[a-h])?\))(/.*)", re.S)


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
    parser.set_defaults(list=listing)


def run(args: argparse.Namespace) -> int:
    """List or print; 1 and a line on standard error where the file cannot be read."""
    from pvgrub_sim.media import open_disk

    disk = open_disk(args.image)
    try:
        if args.survey:
            return _survey(args, disk)
        return _machine(args, disk)
    finally:
        disk.close()


def _complain(args: argparse.Namespace, reason: object) -> int:
    sys.stdout.flush()
    print(f"pvgrub-sim: {args.image}: {args.path}: {reason}", file=sys.stderr)
    return 1


def _out(data: bytes) -> None:
    sys.stdout.buffer.write(data)


# ---- the machine


def _machine(args: argparse.Namespace, disk: Disk) -> int:
    from pvgrub_sim.grub.errnum import ErrNum, GrubError
    from pvgrub_sim.grub.files import grub_open
    from pvgrub_sim.grub.stop import Stop

    machine = _boot_machine(args, disk)
    path = os.fsencode(args.path)
    if not path.startswith((b"(", b"/")):
        raise UsageError(f"{args.path!r} is no name that PV-GRUB knows; write '(hd0)/boot/' or '(hd0,0)/boot/'")
    try:
        if not args.list:
            grub_open(machine, path)
            for piece in _pieces(machine):
                _out(piece)
            return 0
        try:
            _list(machine, path.rstrip(b"/") + b"/", long=args.long)
        except GrubError as error:
            # Not a directory: a file by itself?
            if path.endswith(b"/") or error.number not in (ErrNum.BAD_FILETYPE, ErrNum.FILE_NOT_FOUND):
                raise
            machine.errnum = ErrNum.NONE
            grub_open(machine, path)
            _out(_line(machine, path.rpartition(b"/")[2], None, long=args.long))
    except GrubError as error:
        return _complain(args, error)
    except Stop as stop:
        return _complain(args, f"PV-GRUB would {stop.outcome} here: {stop.reason}")
    return 0


def _boot_machine(args: argparse.Namespace, disk: Disk) -> Machine:
    """A machine with this disk as hd0, before it has looked for a menu."""
    from dataclasses import replace

    from pvgrub_sim.grub.machine import Handover, Machine
    from pvgrub_sim.grub.terminal import Terminal
    from pvgrub_sim.profiles import find_profile
    from pvgrub_sim.profiles.catalogue import find_aki
    from pvgrub_sim.profiles.versions import NEWEST_AMAZON

    profile = find_aki(args.aki) if args.aki else find_profile(args.pvgrub or NEWEST_AMAZON)
    if args.arch:
        profile = replace(profile, arch=args.arch)

    def refuse(_machine: Machine, _handover: Handover) -> None:
        raise AssertionError("no command that loads a kernel runs here")

    return Machine(profile=profile, disks=[disk], term=Terminal(), kexec=refuse)


def _pieces(machine: Machine) -> Iterator[bytes]:
    from pvgrub_sim.grub.files import grub_read

    while True:
        piece = grub_read(machine, CHUNK)
        if not piece:
            return
        yield piece


def _list(machine: Machine, path: bytes, *, long: bool) -> None:
    """Print the names that PV-GRUB's driver finds in a directory."""
    from pvgrub_sim.grub.errnum import ErrNum
    from pvgrub_sim.grub.files import setup_part

    rest = setup_part(machine, path)
    if machine.fsys is None:
        machine.fail(ErrNum.FSYS_MOUNT)
    names = [name for name in machine.fsys.list(rest) if name not in (b".", b"..")]
    if not long:
        _out(b"".join(name + b"\n" for name in names))
        return
    for name in names:
        _out(_entry(machine, path + name, name))


def _entry(machine: Machine, path: bytes, name: bytes) -> bytes:
    """A line of a long listing: opened as PV-GRUB would, with the error that this gives."""
    from pvgrub_sim.grub.errnum import ErrNum, GrubError
    from pvgrub_sim.grub.files import WHITE_SPACE, grub_open

    if any(char in WHITE_SPACE for char in name):
        return f"{'?':>12}  ".encode() + name + b"  (PV-GRUB cannot name it: white space)\n"
    try:
        grub_open(machine, path)
    except GrubError as error:
        machine.errnum = ErrNum.NONE
        return _line(machine, name, error, long=True)
    return _line(machine, name, None, long=True)


def _line(machine: Machine, name: bytes, error: GrubError | None, *, long: bool) -> bytes:
    from pvgrub_sim.grub.errnum import ErrNum

    if not long:
        return name + b"\n"
    if error is None:
        return f"{machine.filemax:>12}  ".encode() + name + b"\n"
    if error.number is ErrNum.BAD_FILETYPE:
        return f"{'-':>12}  ".encode() + name + b"/\n"
    return f"{'?':>12}  ".encode() + name + f"  ({error})\n".encode()


# ---- the survey


def _survey(args: argparse.Namespace, disk: Disk) -> int:
    from pvgrub_sim.survey.area import Damaged
    from pvgrub_sim.survey.tree import NodeType, content, find

    match = _NAME.fullmatch(args.path)
    if match is None:
        raise UsageError(f"{args.path!r} is no name of a file on this disk; write '(hd0)/boot/' or '(hd0,0)/boot/'")
    reader = _reader(disk, match[1])
    if reader is None:
        return _complain(args, f"no filesystem that the survey reads is on {match[1]}")
    path = os.fsencode(match[2])
    try:
        node = find(reader, path)
        if node is None:
            return _complain(args, "no such file or directory")
        if args.list:
            _list_honestly(reader, node, path, long=args.long)
            return 0
        if node.type is not NodeType.FILE:
            return _complain(args, "not a regular file")
        for piece in content(reader, node):
            _out(piece)
    except Damaged as error:
        return _complain(args, error)
    return 0


def _reader(disk: Disk, grub: str) -> Reader | None:
    from pvgrub_sim.survey import volume_reader

    return volume_reader(disk, grub)


def _list_honestly(reader: Reader, node: Node, path: bytes, *, long: bool) -> None:
    from pvgrub_sim.survey.area import Damaged
    from pvgrub_sim.survey.tree import NodeType, names_of, target

    if node.type is not NodeType.DIRECTORY:
        entries = [(path.rstrip(b"/").rpartition(b"/")[2], node.number)]
    else:
        entries = sorted(names_of(reader, node))
    for name, number in entries:
        if not long:
            _out(name + b"\n")
            continue
        try:
            entry = reader.node(number)
            size = "-" if entry.type is NodeType.DIRECTORY else str(entry.size)
            link = b" -> " + target(reader, entry) if entry.type is NodeType.LINK else b""
            _out(f"{entry.type.value} {size:>12}  ".encode() + name + link + b"\n")
        except Damaged as error:
            _out(f"? {'?':>12}  ".encode() + name + f"  ({error})\n".encode())
