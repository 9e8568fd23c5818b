"""What can be asked of an image besides how it boots: what is on it, and its files as PV-GRUB or as a modern system
reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal, NamedTuple

from pvgrub_sim.errors import ImageFileError, UsageError
from pvgrub_sim.media import Disk, attach, open_disk
from pvgrub_sim.profiles import choose_profile

if TYPE_CHECKING:
    from pvgrub_sim.grub.machine import Machine
    from pvgrub_sim.profiles import Profile
    from pvgrub_sim.survey import Survey
    from pvgrub_sim.survey.tree import Node, Reader

CHUNK = 1 << 20
"""Bytes: the most that iter_file() gives at once."""
_NAME = re.compile(rb"(\(hd0(?:,\d{1,3})?(?:,[a-h])?\))(/.*)", re.S)


class DirectoryEntry(NamedTuple):
    """One name in a directory.

    name: bytes that are not UTF-8 are kept as surrogates (`surrogateescape`). kind: `unknown` where nobody looked, or
    where looking failed. size: in bytes, None for what has none. target: where a link leads; PV-GRUB follows links and
    tells of none. error: why the entry cannot be opened, in words, or empty.
    """

    name: str
    kind: Literal["file", "directory", "link", "other", "unknown"] = "unknown"
    size: int | None = None
    target: str | None = None
    error: str = ""


def open_image(path: str | os.PathLike[str]) -> Disk:
    """Open a disk image, read-only: to look at its bytes, or to pass it to several functions in place of its path.

    path: a raw image file or a block device. Its close() releases it. Raises ImageError when it cannot be opened.
    """
    return open_disk(os.fspath(path))


def inspect_image(image: str | os.PathLike[str] | Disk) -> Survey:
    """Tell what is really on an image, as a modern system sees it: partitions, filesystems, the files of /boot.

    image: a path, or what open_image() returned. What is damaged is told in `problems`; raises ImageError only when the
    image cannot be opened.
    """
    from pvgrub_sim.survey import survey

    with ExitStack() as stack:
        return survey(attach(image, stack))


def list_directory(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
    details: bool = True,
) -> list[DirectoryEntry]:
    """List a directory of an image with PV-GRUB's own drivers, bugs included, or honestly.

    image: a path, or what open_image() returned; PV-GRUB knows it as hd0. path: device and path as in a menu.lst,
    `(hd0,0)/boot/`; of a file, that file is listed. aki, pvgrub: which PV-GRUB, as for boot(); arch: `x86_64` (default)
    or `i386`. survey: read as a modern system does, instead. details: False gives names only, which is faster. Names
    are in the directory's order, in the survey sorted. Raises ImageError, ImageFileError where the directory cannot be
    read, and UsageError.
    """
    raw = _bytes(path)
    with ExitStack() as stack:
        disk = attach(image, stack)
        if survey:
            return _list_honestly(disk, raw, details)
        return _list(disk, choose_profile(aki=aki, pvgrub=pvgrub, arch=arch), raw, details)


def read_file(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
) -> bytes:
    """Read a file of an image with PV-GRUB's own drivers, bugs included, or honestly.

    Arguments and errors as for list_directory(). As in PV-GRUB, a gzipped file comes out unpacked; in the survey not.
    """
    return b"".join(iter_file(image, path, aki=aki, pvgrub=pvgrub, arch=arch, survey=survey))


def iter_file(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
) -> Iterator[bytes]:
    """Read a file of an image in pieces of at most 1 MiB; arguments and errors as for read_file().

    What is wrong is raised when the first piece is asked for, or a later one.
    """
    raw = _bytes(path)
    with ExitStack() as stack:
        disk = attach(image, stack)
        if survey:
            yield from _content_honestly(disk, raw)
        else:
            yield from _content(disk, choose_profile(aki=aki, pvgrub=pvgrub, arch=arch), raw)


def _bytes(path: str | bytes) -> bytes:
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _base(path: bytes) -> str:
    return _text(path.rstrip(b"/").rpartition(b"/")[2])


# ---- as PV-GRUB


def _machine(disk: Disk, profile: Profile, path: bytes) -> Machine:
    """A machine with this disk as hd0, before it has looked for a menu."""
    from pvgrub_sim.grub.console.terminal import Terminal
    from pvgrub_sim.grub.machine import Handover, Machine

    def refuse(_machine: Machine, _handover: Handover) -> None:
        raise AssertionError("no command that loads a kernel runs here")

    if not path.startswith((b"(", b"/")):
        raise UsageError(f"{_text(path)!r} is no name that PV-GRUB knows; write '(hd0)/boot/' or '(hd0,0)/boot/'")
    return Machine(profile=profile, disks=[disk], term=Terminal(), kexec=refuse)


def _content(disk: Disk, profile: Profile, path: bytes) -> Iterator[bytes]:
    from pvgrub_sim.grub.errnum import GrubError
    from pvgrub_sim.grub.file.open import grub_open, grub_read
    from pvgrub_sim.grub.stop import Stop

    machine = _machine(disk, profile, path)
    try:
        grub_open(machine, path)
        while piece := grub_read(machine, CHUNK):
            yield piece
    except GrubError as error:
        raise ImageFileError(disk.name, _text(path), str(error), int(error.number)) from None
    except Stop as stop:
        raise ImageFileError(disk.name, _text(path), _stopped(stop)) from None


def _stopped(stop: Exception) -> str:
    outcome, _, reason = str(stop).partition(": ")
    return f"PV-GRUB would {outcome} here: {reason}"


def _list(disk: Disk, profile: Profile, path: bytes, details: bool) -> list[DirectoryEntry]:
    from pvgrub_sim.grub.errnum import ErrNum, GrubError
    from pvgrub_sim.grub.file.open import grub_open, setup_part
    from pvgrub_sim.grub.stop import Stop

    machine = _machine(disk, profile, path)
    folder = path.rstrip(b"/") + b"/"
    try:
        try:
            rest = setup_part(machine, folder)
            if machine.fsys is None:
                machine.fail(ErrNum.FSYS_MOUNT)
            names = [name for name in machine.fsys.list(rest) if name not in (b".", b"..")]
        except GrubError as error:
            # Not a directory: a file by itself?
            if path.endswith(b"/") or error.number not in (ErrNum.BAD_FILETYPE, ErrNum.FILE_NOT_FOUND):
                raise
            machine.errnum = ErrNum.NONE
            grub_open(machine, path)
            return [DirectoryEntry(_base(path), "file", machine.filemax)]
    except GrubError as error:
        raise ImageFileError(disk.name, _text(path), str(error), int(error.number)) from None
    except Stop as stop:
        raise ImageFileError(disk.name, _text(path), _stopped(stop)) from None
    if not details:
        return [DirectoryEntry(_text(name)) for name in names]
    return list(_details(machine, folder, names))


def _details(machine: Machine, folder: bytes, names: list[bytes]) -> Iterator[DirectoryEntry]:
    """Each name opened as PV-GRUB would, with the error that this gives."""
    from pvgrub_sim.grub.errnum import ErrNum, GrubError
    from pvgrub_sim.grub.file.open import WHITE_SPACE, grub_open
    from pvgrub_sim.grub.stop import Stop

    stopped = ""
    for raw in names:
        name = _text(raw)
        if any(char in WHITE_SPACE for char in raw):
            yield DirectoryEntry(name, error="PV-GRUB cannot name it: white space")
            continue
        if stopped:
            yield DirectoryEntry(name, error=f"not opened, for PV-GRUB is gone since {stopped}")
            continue
        try:
            grub_open(machine, folder + raw)
            yield DirectoryEntry(name, "file", machine.filemax)
        except GrubError as error:
            machine.errnum = ErrNum.NONE
            if error.number is ErrNum.BAD_FILETYPE:
                yield DirectoryEntry(name, "directory")
            else:
                yield DirectoryEntry(name, error=str(error))
        except Stop as stop:
            stopped = name
            yield DirectoryEntry(name, error=_stopped(stop))


# ---- as a modern system


def _found(disk: Disk, path: bytes) -> tuple[Reader, Node, bytes]:
    """The reader of the filesystem that a name is on, the file or directory, and its path there; raises Damaged."""
    from pvgrub_sim.survey import volume_reader
    from pvgrub_sim.survey.tree import find

    match = _NAME.fullmatch(path)
    if match is None:
        shown = _text(path)
        raise UsageError(f"{shown!r} is no name of a file on this disk; write '(hd0)/boot/' or '(hd0,0)/boot/'")
    volume = match[1].decode()
    reader = volume_reader(disk, volume)
    if reader is None:
        raise ImageFileError(disk.name, _text(path), f"no filesystem that the survey reads is on {volume}")
    node = find(reader, match[2])
    if node is None:
        raise ImageFileError(disk.name, _text(path), "no such file or directory")
    return reader, node, match[2]


def _content_honestly(disk: Disk, path: bytes) -> Iterator[bytes]:
    from pvgrub_sim.survey.area import Damaged
    from pvgrub_sim.survey.tree import NodeType, content

    try:
        reader, node, _ = _found(disk, path)
        if node.type is not NodeType.FILE:
            raise ImageFileError(disk.name, _text(path), "not a regular file")
        yield from content(reader, node)
    except Damaged as error:
        raise ImageFileError(disk.name, _text(path), str(error)) from None


def _list_honestly(disk: Disk, path: bytes, details: bool) -> list[DirectoryEntry]:
    from pvgrub_sim.survey.area import Damaged
    from pvgrub_sim.survey.tree import NodeType, names_of

    try:
        reader, node, inside = _found(disk, path)
        if node.type is NodeType.DIRECTORY:
            names = sorted(names_of(reader, node))
        else:
            names = [(_base(inside).encode("utf-8", "surrogateescape"), node.number)]
    except Damaged as error:
        raise ImageFileError(disk.name, _text(path), str(error)) from None
    if not details:
        return [DirectoryEntry(_text(name)) for name, _ in names]
    return [_honest_entry(reader, name, number) for name, number in names]


def _honest_entry(reader: Reader, raw: bytes, number: int) -> DirectoryEntry:
    from pvgrub_sim.survey.area import Damaged
    from pvgrub_sim.survey.tree import NodeType, target

    name = _text(raw)
    try:
        node = reader.node(number)
        match node.type:
            case NodeType.DIRECTORY:
                return DirectoryEntry(name, "directory")
            case NodeType.LINK:
                return DirectoryEntry(name, "link", node.size, _text(target(reader, node)))
            case NodeType.FILE:
                return DirectoryEntry(name, "file", node.size)
        return DirectoryEntry(name, "other", node.size)
    except Damaged as error:
        return DirectoryEntry(name, error=str(error))
