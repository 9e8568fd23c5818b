"""xz payloads, unpacked as the small decoder of the Mini-OS build does (unxz.c, xz/dec_stream.c).

The standard library decodes what is in the blocks. What is around them is checked here: the small decoder takes less
than liblzma, and liblzma's CRC-32 alone would take as long as 5 % of the decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from pvgrub_sim.ondisk.compressed import XZ, XZ_FOOTER
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.excerpt import OUTPUT_LIMIT, Excerpt
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, Sink, Unpacked, drain, whole

CORRUPT = "XZ-compressed data is corrupt"
UNSUPPORTED = "Input was encoded with settings that are not supported by this XZ decoder"
WRONG_MAGIC = "Input is not in the XZ format (wrong magic bytes)"
HEADER = 12
"""Bytes of the stream's header, and of its footer."""
LARGEST_DICTIONARY = 39
"""The coded dictionary size of 3 GiB."""
CHECK_CRC32 = 1
BCJ_X86 = 4
LZMA2 = 0x21
MOST_VLI_BYTES = 9
FIRST_LZMA, FIRST_WITH_PROPERTIES = 0x80, 0xC0
"""Control bytes of LZMA2 chunks (xz/dec_lzma2.c:xz_dec_lzma2_run)."""
COMPRESSED_SIZE, UNCOMPRESSED_SIZE, TWO_FILTERS, OTHER_FLAGS = 0x40, 0x80, 0x01, 0x3E


class _Block(NamedTuple):
    """A block's header: its own size in bytes, the sizes that it announces, the filter and the coded dictionary."""

    header: int
    compressed: int | None
    uncompressed: int | None
    bcj: bool
    dictionary: int


def unpack_xz(packed: Packed) -> Unpacked:
    """Unpack the first xz stream: CRC32 or no check, LZMA2 alone or behind the x86 filter."""
    import lzma

    payload = packed.payload
    try:
        return whole(_unpack_stream(payload, packed.output()))
    except (lzma.LZMAError, MemoryError):
        mended = _without_first_bytes(payload)
    if mended is not None:
        try:
            return whole(_unpack_stream(mended, packed.output()))
        except (lzma.LZMAError, MemoryError):
            pass
    raise PayloadDamaged(CORRUPT)


def _unpack_stream(payload: memoryview, out: Excerpt) -> Excerpt:
    """Unpack a stream; raises PayloadDamaged, or what liblzma raises when it dislikes the contents of a block."""
    check = _stream_header(payload)
    at = HEADER
    records: list[tuple[int, int]] = []
    while _byte(payload, at):
        block = _block_header(payload, at)
        at += block.header
        start, written = at, len(out)
        checked = _Checked(out)
        at = _unpack_block(block, payload, at, checked if check else out)
        size = len(out) - written
        if block.compressed not in (None, at - start) or block.uncompressed not in (None, size):
            raise PayloadDamaged(CORRUPT)
        records.append((block.header + at - start + 4 * check, size))
        at = _zeros(payload, at, start)
        if check:
            if payload[at : at + 4] != checked.crc.to_bytes(4, "little"):
                raise PayloadDamaged(CORRUPT)
            at += 4
    _index_and_footer(payload, at, records, check)
    return out


class _Checked:
    """Output on its way, with its CRC-32."""

    def __init__(self, out: Excerpt) -> None:
        # liblzma's own takes several times as long.
        from pvgrub_sim.deflate import deflate_library

        self._crc32 = deflate_library().crc32
        self._out = out
        self.crc = 0

    def __len__(self) -> int:
        return len(self._out)

    def append(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.crc = self._crc32(chunk, self.crc)
        self._out.append(chunk)


def _unpack_block(block: _Block, payload: memoryview, at: int, out: Sink) -> int:
    """Unpack what is in a block; returns where it ends."""
    import lzma

    size = (2 | block.dictionary & 1) << (block.dictionary // 2 + 11)
    # No window needs to be larger than what may come out.
    filters: list[dict[str, int]] = [{"id": lzma.FILTER_LZMA2, "dict_size": min(size, OUTPUT_LIMIT)}]
    behind: AbstractContextManager[Sink] = nullcontext(out)
    if block.bcj:
        from pvgrub_sim.xen.x86filter import X86Filter, processors

        if processors() > 1:
            behind = X86Filter(out)
        else:
            filters.insert(0, {"id": lzma.FILTER_X86})
    stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    with behind as sink:
        taken = drain(stream, payload[at:], sink)
    if not stream.eof:
        raise PayloadDamaged(CORRUPT)
    return at + taken


def _byte(payload: memoryview, at: int) -> int:
    """The byte there; raises PayloadDamaged behind the end."""
    if at >= len(payload):
        raise PayloadDamaged(CORRUPT)
    return payload[at]


def _zeros(payload: memoryview, at: int, start: int) -> int:
    """Where the padding ends that makes what began at start a multiple of four bytes; raises PayloadDamaged."""
    while (at - start) % 4:
        if _byte(payload, at):
            raise PayloadDamaged(CORRUPT)
        at += 1
    return at


def _vli(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends (dec_vli()); raises PayloadDamaged."""
    value = 0
    for index, byte in enumerate(data[at : at + MOST_VLI_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if index and not byte:
                break
            return value, at + index + 1
    raise PayloadDamaged(CORRUPT)


def _crc32(data: bytes | memoryview) -> bytes:
    """The check of a header, as it is stored."""
    from zlib import crc32

    return crc32(data).to_bytes(4, "little")


def _stream_header(payload: memoryview) -> int:
    """The stream's check, 0 or 1 (dec_stream_header()); raises PayloadDamaged."""
    head = bytes(payload[:HEADER])
    if len(head) < HEADER:
        raise PayloadDamaged(CORRUPT)
    if head[:6] != XZ:
        raise PayloadDamaged(WRONG_MAGIC)
    if head[8:] != _crc32(head[6:8]):
        raise PayloadDamaged(CORRUPT)
    # QUIRK: CRC64, which xz itself uses by default, and SHA-256 are refused, not passed over.
    if head[6] or head[7] > CHECK_CRC32:
        raise PayloadDamaged(UNSUPPORTED)
    return head[7]


def _block_header(payload: memoryview, at: int) -> _Block:
    """A block's header (dec_block_header()); raises PayloadDamaged."""
    length = (payload[at] + 1) * 4
    head = bytes(payload[at : at + length])
    if len(head) < length or head[-4:] != _crc32(head[:-4]):
        raise PayloadDamaged(CORRUPT)
    fields, flags, at = head[:-4], head[1], 2
    if flags & OTHER_FLAGS:
        raise PayloadDamaged(UNSUPPORTED)
    compressed = uncompressed = None
    if flags & COMPRESSED_SIZE:
        compressed, at = _vli(fields, at)
    if flags & UNCOMPRESSED_SIZE:
        uncompressed, at = _vli(fields, at)
    if flags & TWO_FILTERS:
        # Another filter, or a start offset.
        if fields[at : at + 2] != bytes([BCJ_X86, 0]):
            raise PayloadDamaged(UNSUPPORTED)
        at += 2
    if len(fields) - at < 2:
        raise PayloadDamaged(CORRUPT)
    if fields[at : at + 2] != bytes([LZMA2, 1]):
        raise PayloadDamaged(UNSUPPORTED)
    if len(fields) - at < 3:
        raise PayloadDamaged(CORRUPT)
    if fields[at + 2] > LARGEST_DICTIONARY or any(fields[at + 3 :]):
        raise PayloadDamaged(UNSUPPORTED)
    return _Block(length, compressed, uncompressed, bool(flags & TWO_FILTERS), fields[at + 2])


def _index_and_footer(payload: memoryview, start: int, records: list[tuple[int, int]], check: int) -> None:
    """Raise PayloadDamaged unless the index lists these blocks and the footer follows.

    Source: dec_index(), dec_stream_footer().
    """
    count, at = _vli(payload, start + 1)
    if count != len(records):
        raise PayloadDamaged(CORRUPT)
    for record in records:
        unpadded, at = _vli(payload, at)
        uncompressed, at = _vli(payload, at)
        if record != (unpadded, uncompressed):
            raise PayloadDamaged(CORRUPT)
    at = _zeros(payload, at, start)
    footer = payload[at + 4 : at + 4 + HEADER]
    flags = bytes([0, check])
    if (
        payload[at : at + 4] != _crc32(payload[start:at])
        or footer[10:] != XZ_FOOTER
        or footer[:4] != _crc32(footer[4:10])
        or int.from_bytes(footer[4:8], "little") != (at - start) // 4
        or footer[8:10] != flags
    ):
        raise PayloadDamaged(CORRUPT)


def _without_first_bytes(payload: memoryview) -> memoryview | None:
    """The stream with the first byte of each chunk's range coder zeroed, or None when all are zero already.

    QUIRK: the small decoder passes over that byte, whatever it is (xz/dec_lzma2.c:rc_read_init); liblzma does not.
    """
    copy = bytearray(payload)
    changed = False
    for at in _range_coders(payload):
        if copy[at]:
            copy[at] = 0
            changed = True
    return memoryview(copy) if changed else None


def _range_coders(payload: memoryview) -> Iterator[int]:
    """Where the range coder of each LZMA chunk begins, as far as the stream can be followed without decoding it."""
    at = HEADER
    while at < len(payload) and payload[at]:
        at = start = at + (payload[at] + 1) * 4
        while at + 6 < len(payload) and (control := payload[at]):
            # An LZMA chunk has its sizes, unpacked and packed, and its properties where they change; others one size.
            sizes = at + 3 if control >= FIRST_LZMA else at + 1
            at = sizes + 2 + (control >= FIRST_WITH_PROPERTIES)
            if control >= FIRST_LZMA:
                yield at
            at += int.from_bytes(payload[sizes : sizes + 2], "big") + 1
        at += 1
        at += -(at - start) % 4 + 4 * payload[7]
