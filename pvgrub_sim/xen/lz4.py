"""lz4 payloads: legacy frames as the kernel build makes them, unpacked as the Mini-OS build does (unlz4.c)."""

from __future__ import annotations

from contextlib import suppress

from pvgrub_sim.ondisk.compressed import LZ4_LEGACY
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, Unpacked, whole

MAGIC = int.from_bytes(LZ4_LEGACY, "little")
CHUNK = 8 << 20
"""Bytes that a chunk unpacks to, but for the last one."""
FAILED = "Decoding failed"
LARGE_BLOCK = 31 << 20
"""Bytes: just below the size from which on glibc no longer learns (DEFAULT_MMAP_THRESHOLD_MAX)."""


def unpack_lz4(packed: Packed) -> Unpacked:
    """Unpack chunk after chunk; the size word decides how much comes out of each.

    QUIRK: a chunk's own length is not used: a chunk ends where its decoder stops, which may be behind the payload.
    """
    image, at = packed.image, 4
    left = packed.length - 4
    expected = packed.size_word
    if packed.length < 8 or int.from_bytes(image[:4], "little") != MAGIC:
        raise PayloadDamaged("invalid header")
    left -= 4
    # glibc keeps freed memory up to twice the largest block it gave back: the library's chunks are then not handed to
    # the kernel, and faulted in again, one after the other. Nothing of this block is ever touched.
    bytes(LARGE_BLOCK)
    out = packed.output()
    while True:
        length = int.from_bytes(image[at : at + 4], "little")
        at += 4
        left -= 4
        if length == MAGIC:
            more = _magics(image[at:])
            at += more
            left -= more
            if at >= len(image):
                raise PayloadDamaged(FAILED)
            continue
        if expected >= CHUNK:
            room = CHUNK
            expected -= CHUNK
        else:
            room = expected  # QUIRK: and the next chunk, should there be one, gets as much again
        chunk, used = _next_chunk(packed, image[at:], length, room)
        out.append(chunk)
        left -= used
        at += used
        if left == 0:
            return whole(out)
        if left < 0:
            raise PayloadDamaged("data corrupted")


def _magics(image: memoryview) -> int:
    """Bytes of the frames' magics that follow each other here: any number of them may."""
    import re

    more = re.match(rb"(?:\x02\x21\x4c\x18)*+", image)
    return more.end() if more else 0


def _next_chunk(packed: Packed, image: memoryview, length: int, room: int) -> tuple[bytes | bytearray, int]:
    """The chunk that begins here, unpacked to room bytes, and how many bytes it took; length: as it says itself."""
    import lz4.block

    if 0 < length <= len(image) and not (packed.lz4 == "broken" and packed.bits == 64):
        with suppress(lz4.block.LZ4BlockError, ValueError, MemoryError):
            chunk: bytes = lz4.block.decompress(image[:length], uncompressed_size=room)
            if len(chunk) == room:
                return chunk, length
    # Not as the format has it, which the library cannot follow.
    return unpack_chunk(image, room, packed.bits, packed.lz4)


_SHORT_STEP = {
    64: (4, 8, 8, 9, 8, 10, 12, 14),
    32: (0, 4, 4, 6),
}
"""Width of pointers: for a match from so many bytes ago, how far behind the copying loop reads after its first step."""


class _Checks(NamedTuple):
    """Where a chunk must end, in bytes, and what the decoder looks at: width of pointers, kind of checks."""

    room: int
    bits: int
    lz4: str


def unpack_chunk(source: memoryview, room: int, bits: int, lz4: str = "checked") -> tuple[bytearray, int]:
    """Unpack one chunk that fills exactly room bytes; returns it and how many bytes of the source it took.

    Slow, and right about chunks that the format forbids (lz4/decompress.c:lz4_uncompress). Raises PayloadDamaged, also
    where the decoder would run into the memory behind the file. lz4: its checks for overruns, as in Loader.
    """
    checks = _Checks(room, bits, lz4)
    broken = lz4 == "broken" and bits == 64
    out = bytearray()
    at = 0

    def extended(length: int) -> int:
        nonlocal at
        if length == 15:
            while (more := source[at]) == 255:
                length += 255
                at += 1
            length += more
            at += 1
        return length

    try:
        while True:
            token = source[at]
            at += 1
            length = extended(token >> 4)
            last = len(out) + length > room - 8
            if at + length > len(source) or (last and len(out) + length != room):
                raise PayloadDamaged(FAILED)
            out += source[at : at + length]
            at += length
            if last:
                return out, at
            back = source[at] | source[at + 1] << 8
            at += 2
            if back > len(out):
                raise PayloadDamaged(FAILED)
            length = extended(token & 15) + 4
            # QUIRK: a check against overflows that was wrong on x86-64 for some years (commit 9143a6c55e).
            if broken and length < 8 and len(out) + length <= room - 8:
                raise PayloadDamaged(FAILED)
            _repeat(out, back, length, checks)
    except IndexError:
        raise PayloadDamaged(FAILED) from None


def _repeat(out: bytearray, back: int, length: int, checks: _Checks) -> None:
    """Append length bytes from back bytes ago, where the copying loop keeps inside its buffer; else PayloadDamaged."""
    here = len(out)
    room, bits, lz4 = checks
    if here + length > room - 8:
        step = 8 if bits == 64 else 4
        target = here + step
        source = target - (_SHORT_STEP[bits][back] if back < step else back)
        # QUIRK: a match near the end is refused by where the loop stands, not by where it would end; where from and
        # where to until bd20589e6d, which 64-bit builds of 4.10 have.
        stands = max(source, target) if bits == 32 or lz4 == "broken" else source
        if here + length >= room or (lz4 != "unchecked" and stands + 8 > room):
            raise PayloadDamaged(FAILED)
    if not back:
        out += bytes(length)  # QUIRK: distance 0 takes what the buffer held before
    elif back >= length:
        out += out[here - back : here - back + length]
    else:
        pattern = out[here - back :]
        out += (pattern * (length // back + 1))[:length]
