"""The compressions that Linux knows for an initrd, each a generator of pieces that ends where its stream ends.

As the kernel takes them (lib/decompress.c and lib/decompress_*.c): one stream, after which the initrd goes on. A
decoder leaves the feed behind its stream, gives at most a few MiB at once whatever it is fed, and raises Broken or
NotLookedAt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvgrub_sim.initramfs.feed import Broken, Feed, NotLookedAt
from pvgrub_sim.ondisk.compressed import BZIP2, GZIP, GZIP_OLD, LZ4_LEGACY, LZMA, LZO, XZ, ZSTD
from pvgrub_sim.typed import Any, Final
from pvgrub_sim.zstd import zstd_library

PIECE: Final = 1 << 20
"""Bytes that a decoder gives at once."""
MEMORY: Final = 40 << 20
"""Bytes that a decoder may hold; `xz -8` and what initramfs-tools and dracut do want less."""
Decoder = Callable[[Feed], Iterator[bytes]]


def _stream(feed: Feed, words: str, decoder: Any, errors: Any) -> Iterator[bytes]:
    """One stream, by an object of the kind that bz2, lzma and isal have."""
    data = feed.next()
    while True:
        try:
            out = decoder.decompress(data, PIECE)
        except errors as error:
            raise Broken(f"its {words} data are damaged ({str(error).lower()})") from None
        if out:
            yield out
        if decoder.eof:
            feed.push_back(decoder.unused_data or b"")
            return
        tail = getattr(decoder, "unconsumed_tail", b"")
        hungry = getattr(decoder, "needs_input", len(out) < PIECE)
        data = tail if tail or not hungry else feed.next()
        if hungry and not data:
            raise Broken(f"it ends in the middle of its {words} data")


def gzip(feed: Feed) -> Iterator[bytes]:
    """gzip (RFC 1952), by isal."""
    from isal import isal_zlib

    # Old gzip's magic differs in its second byte only.
    head = feed.take(2)
    feed.push_back(GZIP if head == GZIP_OLD else head)
    yield from _stream(feed, "gzip", isal_zlib.decompressobj(31), (isal_zlib.IsalError, EOFError))


def bzip2(feed: Feed) -> Iterator[bytes]:
    """bzip2, by libbz2."""
    import bz2

    yield from _stream(feed, "bzip2", bz2.BZ2Decompressor(), (OSError, EOFError, ValueError))


def xz(feed: Feed) -> Iterator[bytes]:
    """xz, by liblzma; of its checksums the kernel knows CRC32 alone (Documentation/staging/xz.rst)."""
    import lzma

    flags = feed.peek(8)[7:]
    if flags and flags[0] & 15 not in (lzma.CHECK_NONE, lzma.CHECK_CRC32):
        raise Broken("its xz data have a checksum other than CRC32, the only one that Linux knows (xz --check=crc32)")
    yield from _lzma(feed, "xz", lzma.FORMAT_XZ)


def lzma_alone(feed: Feed) -> Iterator[bytes]:
    """lzma, by liblzma."""
    import lzma

    yield from _lzma(feed, "lzma", lzma.FORMAT_ALONE)


def _lzma(feed: Feed, words: str, form: int) -> Iterator[bytes]:
    import lzma

    decoder = lzma.LZMADecompressor(form, memlimit=MEMORY)
    try:
        yield from _stream(feed, words, decoder, (EOFError,))
    except lzma.LZMAError as error:
        if "Memory usage limit" in str(error):
            raise NotLookedAt(f"its {words} data want a dictionary of more than {MEMORY >> 20} MiB") from None
        raise Broken(f"its {words} data are damaged ({str(error).lower()})") from None


_ZSTD_BLOCK: Final = 128 << 10
_ZSTD_BLOCKS: Final = 16
"""Blocks that are decoded at once: none of them is larger than 128 KiB."""
_ZSTD_RAW, _ZSTD_RLE = 0, 1


def zstd(feed: Feed) -> Iterator[bytes]:
    """zstd (RFC 8878), by libzstd, a few blocks at a time: one byte of a bomb can stand for a whole block."""
    zstandard = zstd_library()

    header, window, checksum = _zstd_header(feed)
    if window > MEMORY - (8 << 20):
        raise NotLookedAt(f"its zstd data want a window of {window >> 20} MiB")
    decoder = zstandard.ZstdDecompressor(max_window_size=MEMORY).decompressobj()
    batch, last = [header], False
    while not last:
        for _ in range(_ZSTD_BLOCKS):
            block = feed.take(3)
            word = int.from_bytes(block, "little")
            last = bool(word & 1)
            size = 1 if word >> 1 & 3 == _ZSTD_RLE else word >> 3
            body = feed.take(size) if size <= _ZSTD_BLOCK else b""
            if size > _ZSTD_BLOCK:
                raise Broken("its zstd data are damaged (a block of more than 128 KiB)")
            if len(block) < 3 or len(body) < size:
                raise Broken("it ends in the middle of its zstd data")
            batch += [block, body]
            if last:
                batch.append(feed.take(4) if checksum else b"")
                break
        try:
            out = decoder.decompress(b"".join(batch))
        except zstandard.ZstdError as error:
            raise Broken(
                f"its zstd data are damaged ({str(error).removeprefix('zstd decompressor error: ')})"
            ) from None
        batch = []
        if out:
            yield out


def _zstd_header(feed: Feed) -> tuple[bytes, int, bool]:
    """A frame's header, the bytes of its window, and whether a checksum stands at its end."""
    start = feed.take(5)
    descriptor = start[4] if len(start) == 5 else 0
    single = bool(descriptor & 0x20)
    sizes = (1 if single else 0, 2, 4, 8)
    rest = feed.take((not single) + (0, 1, 2, 4)[descriptor & 3] + sizes[descriptor >> 6])
    if single:
        content = int.from_bytes(rest[(0, 1, 2, 4)[descriptor & 3] :], "little")
        window = content + (256 if descriptor >> 6 == 1 else 0)
    else:
        exponent, mantissa = (rest[0] >> 3, rest[0] & 7) if rest else (0, 0)
        window = (1 << 10 + exponent) // 8 * (8 + mantissa)
    return start + rest, window, bool(descriptor & 4)


_LZO_BLOCK: Final = 256 << 10
"""Bytes that a block of lzop unpacks to at most (lib/decompress_unlzo.c:LZO_BLOCK_SIZE)."""
_LZO_FILTER = 0x800
_LZO_WITH_LEVEL = 0x0940


def lzo(feed: Feed) -> Iterator[bytes]:
    """A file of lzop (lib/decompress_unlzo.c): one checksum a block is passed over, none is looked at."""
    from lzallright import LZOCompressor, LZOError

    cut = Broken("it ends in the middle of its lzo data")
    head = feed.take(11)
    with_level = int.from_bytes(head[9:11], "big") >= _LZO_WITH_LEVEL
    feed.skip(5 + with_level)
    flags = int.from_bytes(feed.take(4), "big")
    feed.skip((4 if flags & _LZO_FILTER else 0) + 8 + 4 * with_level)
    name = feed.take(1)
    if not name or feed.skip(name[0] + 4) < name[0] + 4:
        raise cut
    codec = LZOCompressor()
    while True:
        size = int.from_bytes(_exactly(feed, 4, cut), "big")
        if not size:
            return
        length = int.from_bytes(_exactly(feed, 8, cut)[:4], "big")
        if size > _LZO_BLOCK or not 0 < length <= size:
            raise Broken("its lzo data are damaged (a block's length)")
        block = _exactly(feed, length, cut)
        if length < size:
            try:
                block = codec.decompress(block, size)
            except LZOError:
                block = b""
        if len(block) != size:
            raise Broken("its lzo data are damaged")
        yield block


_LZ4_CHUNK: Final = 8 << 20
"""Bytes that a chunk unpacks to at most (lib/decompress_unlz4.c:LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE)."""


def lz4(feed: Feed) -> Iterator[bytes]:
    """lz4's legacy frames (lib/decompress_unlz4.c): chunks up to a length of 0, or the end of the initrd."""
    import lz4.block

    feed.skip(4)
    while length := int.from_bytes(feed.take(4), "little"):
        if length == int.from_bytes(LZ4_LEGACY, "little"):
            continue
        if length > _LZ4_CHUNK + _LZ4_CHUNK // 255 + 16:
            raise Broken("its lz4 data are damaged (a chunk's length)")
        chunk = feed.take(length)
        if len(chunk) < length:
            raise Broken("it ends in the middle of its lz4 data")
        try:
            out = lz4.block.decompress(chunk, uncompressed_size=_LZ4_CHUNK)
        except (lz4.block.LZ4BlockError, ValueError):
            raise Broken("its lz4 data are damaged") from None
        yield out


def _exactly(feed: Feed, length: int, cut: Broken) -> bytes:
    data = feed.take(length)
    if len(data) < length:
        raise cut
    return data


_DECODERS: Final[tuple[tuple[str, bytes, Decoder], ...]] = (
    ("gzip", GZIP, gzip),
    ("gzip", GZIP_OLD, gzip),
    ("bzip2", BZIP2, bzip2),
    ("xz", XZ, xz),
    ("zstd", ZSTD, zstd),
    ("lzo", LZO, lzo),
    ("lz4", LZ4_LEGACY, lz4),
)
"""Name of the format (as in the kernel's CONFIG_RD_…), what it begins with, and its decoder."""
_LZMA_HEADER: Final = 13


def decoder_of(head: bytes) -> tuple[str, Decoder] | None:
    """The format that data begin with, and its decoder; None for what is no compressed data. head: 13 bytes."""
    for name, magic, decoder in _DECODERS:
        if head.startswith(magic):
            return name, decoder
    if head.startswith(LZMA) and len(head) >= _LZMA_HEADER:
        # Two bytes are no magic: the dictionary is a round one and the size none or not absurd, or it is not lzma.
        dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
        if dictionary & (dictionary - 1) == 0 and dictionary >= 1 << 12 and (size == (1 << 64) - 1 or size < 1 << 32):
            return "lzma", lzma_alone
    return None
