"""Kernels, in files or on images: what they are, which PV-GRUBs boot them, and the same kernel in another form."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from pvgrub_sim.errors import ImageFileError, KernelFormatError, UsageError
from pvgrub_sim.inputs import read_input
from pvgrub_sim.media import Access, open_disk
from pvgrub_sim.media.disk import read_upto
from pvgrub_sim.media.sources import SOURCES, local_path, shown_source
from pvgrub_sim.profiles import find_profile
from pvgrub_sim.typed import Literal
from pvgrub_sim.xen.inspect import KernelFacts, examine
from pvgrub_sim.xen.repack import extract_elf, gunzip_file, repack

LARGEST = 128 << 20
"""Bytes; a larger file is no kernel."""
_ON_IMAGE = re.compile(r"(?P<image>.+?):(?P<path>\((?:hd|fd)\d.*)", re.S)


def examine_kernel(
    kernel: str | os.PathLike[str] | bytes,
    *,
    pvgrub: str | None = None,
    image_format: str = "auto",
    access: Access | None = None,
) -> KernelFacts:
    """Tell what a kernel is, and ask every version of PV-GRUB, in both builds, what it makes of it.

    kernel: a file, also one on a server (`https://…`, `s3://…`); a file on a disk image as PV-GRUB reads it,
    `disk.img:(hd0)/boot/vmlinuz`; or the bytes. One that is gzipped is unpacked first, as GRUB does. pvgrub: ask this
    version only, which then reads the image as well. image_format, access: of the image, as for open_image().
    A file that is no kernel gives facts of the kind `unknown`. Raises ImageError, KernelFormatError and UsageError.
    """
    profiles = [find_profile(pvgrub)] if pvgrub is not None else None
    return examine(_read(kernel, pvgrub, image_format, access)[1], profiles)


def extract_kernel(
    kernel: str | os.PathLike[str] | bytes, *, image_format: str = "auto", access: Access | None = None
) -> bytes | bytearray:
    """The ELF file inside a kernel: a bzImage's payload unpacked, or the file itself.

    kernel, image_format, access: as for examine_kernel(). Raises KernelFormatError, which says why there is none, and
    ImageError.
    """
    return extract_elf(*_read(kernel, None, image_format, access))


def repack_kernel(
    kernel: str | os.PathLike[str] | bytes,
    payload: Literal["gzip", "xz", "none", "elf-gz"] = "gzip",
    *,
    pv_only: bool = False,
    level: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    image_format: str = "auto",
    access: Access | None = None,
) -> bytes:
    """The same kernel in a form that an older PV-GRUB boots.

    kernel, image_format, access: as for examine_kernel().
    payload: `gzip`, which every version boots, `xz` or `none` make a bzImage with
    this payload; `elf-gz` is the bare ELF file, gzipped, which GRUB itself unpacks. pv_only: leave out what only other
    boot loaders need. level: how hard to pack, from 0 (xz) or 1 (gzip) to 9; None for 9 with gzip and 6 with xz.
    progress: told of the bytes packed, and of how many there are. Raises KernelFormatError, ImageError and UsageError.
    """
    least = 0 if payload == "xz" else 1
    if level is not None and (payload == "none" or not least <= level <= 9):
        levels = "no levels" if payload == "none" else f"levels from {least} to 9"
        raise UsageError(f"a {payload} payload has {levels}, not {level}")
    name, data = _read(kernel, None, image_format, access)
    return repack(name, data, payload, pv_only=pv_only, level=level, progress=progress)


def _read(
    kernel: str | os.PathLike[str] | bytes, pvgrub: str | None, image_format: str, access: Access | None
) -> tuple[str, bytes]:
    """A kernel's name, for messages, and its bytes as GRUB would hand them on."""
    if isinstance(kernel, bytes):
        return "kernel", gunzip_file("kernel", kernel)
    name = os.fspath(kernel)
    shown = shown_source(name)
    if not os.path.lexists(name):
        if (match := _ON_IMAGE.fullmatch(name)) is not None:
            from pvgrub_sim.image import iter_file

            path = os.fsencode(match["path"])
            pieces = iter_file(match["image"], path, pvgrub=pvgrub, image_format=image_format, access=access)
            return shown, _gathered(shown, pieces)
        name = local_path(name)
        if name.partition(":")[0] in SOURCES:
            return shown, gunzip_file(shown, _fetched(name, access))
    return shown, gunzip_file(shown, _read_file(name, shown))


def _read_file(name: str, shown: str) -> bytes:
    """The bytes of a file. shown: what to call it."""
    try:
        status = Path(name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise KernelFormatError(shown, "is a directory" if stat.S_ISDIR(status.st_mode) else "is no regular file")
        if status.st_size > LARGEST:
            raise _too_large(shown)
        return read_input(name, LARGEST)
    except OSError as error:
        raise KernelFormatError(shown, (error.strerror or str(error)).lower()) from None
    except ValueError as error:
        raise KernelFormatError(shown, str(error)) from None


def _fetched(name: str, access: Access | None) -> bytes:
    """The bytes of a file that lies elsewhere, as its source has them; raises ImageError and KernelFormatError."""
    with closing(open_disk(name, "raw", access)) as disk:
        data = read_upto(disk, 0, LARGEST + 1)
        if len(data) > LARGEST:
            raise _too_large(disk.name)
        return data


def _too_large(shown: str) -> KernelFormatError:
    hint = f" (a kernel on a disk image is named {shown}:'(hd0)/boot/vmlinuz')"
    return KernelFormatError(shown, f"is too large for a kernel{hint}")


def _gathered(name: str, pieces: Iterator[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise KernelFormatError(name, "is too large for a kernel")
    except ImageFileError as error:
        raise KernelFormatError(name, f"PV-GRUB cannot read it: {error.reason}") from None
    return b"".join(parts)
