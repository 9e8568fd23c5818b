"""Files that an image names: opened only where the user's own request covers them.

An image's content may be anybody's. A backing file, parent, extent or data file is opened by a relative name inside the
image's own folder, or inside a folder that was allowed; never a device, a URL, or qemu's `json:`; never one that is
being read already, and never deeper than eight.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import formats
from pvgrub_sim.media.access import DEEPEST, Context
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.safetext import quoted
from pvgrub_sim.typed import Final

_referred: Final[set[str]] = set()
_PROTOCOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def open_beside(owner: Disk, named: str, image_format: str, context: Context, what: str = "backing file") -> Disk:
    """Open a file that an image names.

    owner: the image. named: as the image has it. image_format: to read it in, `auto` where the image does not say,
    `raw` for its bytes. what: for messages. Raises ImageError that says what was asked for and why it was refused.
    """
    shown = f"{what} {quoted(named)}"
    if image_format not in ("auto", "raw", *formats.FORMATS):
        raise ImageError(owner.name, f"{shown} is of the unknown format {quoted(image_format)}")
    if len(context.chain) >= DEEPEST:
        raise ImageError(owner.name, f"{shown}: the chain of files is more than {DEEPEST} deep")
    if context.inside is not None and (found := context.inside.open(_file_name(owner, named, shown))) is not None:
        below, folder, identity = found
        inner = context._replace(inside=folder, chain=(*context.chain, identity), depth=0)
        return _in_format(owner, below, image_format, inner, shown)
    path, called = _resolved(owner, named, context, shown)
    try:
        status = os.stat(path)  # noqa: PTH116  (pathlib would slow down every start)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ImageError(owner.name, f"{shown}: {reason}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(owner.name, f"{shown} is no regular file: refused")
    disk = RawDisk(path)
    disk.name = called
    note_referred([path])
    inner = context._replace(folder=disk.folder, chain=(*context.chain, disk.identity), inside=None, depth=0)
    return _in_format(owner, disk, image_format, inner, shown)


def _in_format(owner: Disk, disk: Disk, image_format: str, context: Context, shown: str) -> Disk:
    """A file that was found, in its format; it is closed when it cannot be had, or is in the chain already."""
    try:
        if context.chain[-1] in context.chain[:-1]:
            raise ImageError(owner.name, f"{shown} leads back to a file of the same chain")
        return disk if image_format == "raw" else formats.unwrap(disk, image_format, context)
    except BaseException:  # Ctrl-C as well; it is passed on
        disk.close()
        raise


def referred_files() -> frozenset[str]:
    """Paths of the files that images have named and this process has opened for them: inputs as well."""
    return frozenset(_referred)


def note_referred(paths: Iterable[str]) -> None:
    """Count files among referred_files(); paths: absolute, links resolved."""
    _referred.update(paths)


def _file_name(owner: Disk, named: str, shown: str) -> str:
    """The name without `file:`; raises ImageError for an address, and for what is no name."""
    name = named.removeprefix("file:")
    if not name or "\0" in name:
        raise ImageError(owner.name, f"{shown}: no file's name")
    if _PROTOCOL.match(name):
        raise ImageError(owner.name, f"{shown} is an address, not a file: refused")
    return name


def _resolved(owner: Disk, named: str, context: Context, shown: str) -> tuple[str, str]:
    """The path with every link resolved, and what to call it; raises ImageError when it lies where it must not."""
    name = _file_name(owner, named, shown)
    allowed = context.access.allow_backing
    if context.inside is not None and not allowed:
        raise ImageError(owner.name, f"{shown} is not in the archive (--allow-backing DIR allows a folder)")
    if context.folder is None and not allowed:
        raise ImageError(owner.name, f"{shown}: nothing lies beside an image that is no file (--allow-backing DIR)")
    folders = ([context.folder] if context.folder is not None else []) + list(allowed)
    try:
        within = [os.path.realpath(folder) for folder in folders]
        for folder in folders:
            called = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118  (pathlib would slow down every start)
            path = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118  (pathlib would slow down every start)
            if any(path.startswith(root.rstrip("/") + "/") for root in within) and (
                os.path.exists(path) or folder is folders[-1]  # noqa: PTH110  (pathlib would slow down every start)
            ):
                return path, called
    except (OSError, ValueError) as error:
        raise ImageError(owner.name, f"{shown}: {error}") from None
    raise ImageError(
        owner.name, f"{shown} lies outside of the image's folder: refused (--allow-backing DIR allows a folder)"
    )
