"""Compressed images: read forward into a spool, only as far as is asked for."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Expects, ForwardOnly, Layer, read_upto
from pvgrub_sim.media.extent import used_bytes
from pvgrub_sim.media.formats.ahead import ahead
from pvgrub_sim.media.formats.decoders import Input, ZstdStream, bzip2_stream, gzip_stream, lz4_stream, xz_stream
from pvgrub_sim.media.formats.forward import Forward, Told
from pvgrub_sim.media.formats.frames import ZSTD_HEAD, ZstdWalk, xz_size, zstd_size
from pvgrub_sim.media.formats.spool import Spool
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

_WRAP: Final = 1 << 32
"""gzip tells the size of what is in it modulo this."""
_SLACK: Final = (255 * 63 * 512) + (1 << 20)
"""Bytes that a disk may have behind its last partition or filesystem, for its size to be taken from there: what is left
over where partitions end with a cylinder, or a MiB."""
_LITTLE: Final = 1 << 20
"""The same where its size is found out and not told: what alignment leaves over, or a second table."""
_UNPACKED_SOON: Final = 32 << 20
"""Bytes of a disk that is not worth a likely size: as much is unpacked before anybody asks for it."""
_DENSEST: Final = 1032
"""Bytes that a byte of deflate stands for at most."""


def open_gzip(below: Disk, context: Context) -> Disk:
    """What is in a gzip file. Raises ImageError."""
    return _spooled(below, context, "gzip", gzip_stream, _gzip_size, may_hold=_gzip_may_hold)


def open_xz(below: Disk, context: Context) -> Disk:
    """What is in an xz file. Raises ImageError."""
    return _spooled(below, context, "xz", xz_stream, _xz_size)


def open_bzip2(below: Disk, context: Context) -> Disk:
    """What is in a bzip2 file, which does not tell its size. Raises ImageError."""
    return _spooled(below, context, "bzip2", bzip2_stream, lambda disk, spool: None)


def open_zstd(below: Disk, context: Context) -> Disk:
    """What is in a zstd file. Raises ImageError."""
    return _spooled(below, context, "zstd", ZstdStream, _zstd_size, least=_zstd_least)


def open_lz4(below: Disk, context: Context) -> Disk:
    """What is in an lz4 file. Raises ImageError."""
    return _spooled(below, context, "lz4", lz4_stream, _lz4_size)


def _spooled(
    below: Disk,
    context: Context,
    words: str,
    make: Callable[[Input], Forward],
    measure: Callable[[Disk, Spool], Told | None],
    *,
    least: Callable[[Disk], int] | None = None,
    may_hold: Callable[[Disk, int], bool] | None = None,
) -> Disk:
    stream = ahead(make(Input(below)), below)
    spool = Spool(below.name, stream, Layer(words, below.name, 0), context, below=below)
    if not isinstance(below, ForwardOnly):
        spool.know(
            lambda: measure(below, spool),
            least and (lambda: least(below)),
            may_hold and (lambda size: may_hold(below, size)),
        )
    return spool


def _xz_size(disk: Disk, spool: Spool) -> Told:
    return Told(xz_size(disk.name, disk.size, disk.read), sure=True)


def _zstd_size(disk: Disk, spool: Spool) -> Told | None:
    """As all frames tell it; far away, where looking at all of them would fetch everything, there is no telling."""
    if isinstance(disk, Expects):
        return None
    size = zstd_size(disk.name, disk.size, disk.read)
    return None if size is None else Told(size, sure=True)


def _zstd_least(disk: Disk) -> int:
    """What the first frame tells of its content; all of them take much longer to look at."""
    walk = ZstdWalk(disk.name)
    walk.step(read_upto(disk, 0, ZSTD_HEAD))
    return walk.size or 0


def _lz4_size(disk: Disk, spool: Spool) -> Told | None:
    """As all frames tell it, or as it follows from their blocks, which would fetch everything as well."""
    if isinstance(disk, Expects):
        return None
    from pvgrub_sim.media.formats.lz4_frames import lz4_content

    content = lz4_content(disk.size, disk.read)
    if content is None or content.told:
        return content and Told(content.size, sure=True)
    # Closer than gzip's: blocks that are not full would make it seem larger.
    used = used_bytes(spool.read_upto(0, 4096))
    return _likely(content.size, used, _LITTLE)


def _likely(size: int, used: int, slack: int) -> Told | None:
    """A size, if it is likely that of a disk whose partitions, or filesystem, take so many bytes of it."""
    likely = size > _UNPACKED_SOON and 0 < used <= size <= used + slack and size % 512 == 0
    return Told(size, sure=False) if likely else None


def _gzip_size(disk: Disk, spool: Spool) -> Told | None:
    """The size that a gzip file tells at its end, where what is in it agrees.

    The end tells it modulo 4 GiB, and of the last member only. So it is likely if the partitions, or the filesystem,
    end there or a little before; else all has to be read.
    """
    if disk.size < 18:
        raise ImageError(disk.name, "ends in the middle of its gzip stream", disk.size)
    end = disk.read(disk.size - 8, 8)
    if not any(end):
        # Zeros that somebody has put behind it; of no disk is the CRC zero as well.
        return None
    told = int.from_bytes(end[4:], "little")
    used = used_bytes(spool.read_upto(0, 4096))
    if used == 0:
        return None
    size = told + (max(used - told, 0) + _WRAP - 1) // _WRAP * _WRAP
    if not disk.size - (size >> 10) - 4096 <= size <= disk.size * _DENSEST:
        return None
    return _likely(size, used, _SLACK)


def _gzip_may_hold(disk: Disk, size: int) -> bool:
    """Whether a file's last member, of as a rule one, ends at that size modulo 4 GiB."""
    return disk.size >= 18 and int.from_bytes(disk.read(disk.size - 4, 4), "little") == size % _WRAP
