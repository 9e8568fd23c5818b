"""What the decoders of kernel payloads have in common: their input, their output and how they fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OUTPUT_LIMIT = 512 << 20
"""Bytes that a payload may unpack to. PV-GRUB's own limit is the memory of its domain."""
STEP = 1 << 20
"""Bytes of output asked for at a time, where a library lets one ask."""


class Damaged(Exception):
    """A payload does not unpack; args are the decoder's own messages, one line each (often none)."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A payload as a decoder gets it.

    image: the kernel file from the payload's first byte to the file's end (one decoder reads past the payload).
    length: of the payload, in bytes. bits: width of PV-GRUB's pointers, 64 or 32. lz4_broken: see Profile.
    """

    image: memoryview
    length: int
    bits: int = 64
    lz4_broken: bool = False

    @property
    def payload(self) -> memoryview:
        """The payload alone."""
        return self.image[: self.length]

    @property
    def size_word(self) -> int:
        """The payload's last 4 bytes: the unpacked size, by the kernel build's convention."""
        return int.from_bytes(self.image[max(self.length - 4, 0) : self.length], "little")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a decoder made: the bytes, and the size that the loader takes it to have (zeros behind the bytes)."""

    data: bytes | bytearray
    size: int


def whole(data: bytearray) -> Unpacked:
    """Unpacked data without anything behind it."""
    return Unpacked(data, len(data))


def grow(out: bytearray, chunk: bytes | bytearray | memoryview) -> None:
    """Append a chunk; raises Damaged beyond OUTPUT_LIMIT (PV-GRUB runs out of memory)."""
    if len(out) + len(chunk) > OUTPUT_LIMIT:
        raise Damaged
    out += chunk


def drain(stream: Any, payload: memoryview, out: bytearray, most: int = OUTPUT_LIMIT + 1) -> None:
    """Feed a payload to a decompressor of the standard library, and take at most so many bytes of output from it."""
    for at in range(0, len(payload), 1 << 18):
        chunk: bytes | memoryview = payload[at : at + (1 << 18)]
        while True:
            grow(out, stream.decompress(chunk, min(STEP, most - len(out))))
            if stream.eof or len(out) >= most:
                return
            if stream.needs_input:
                break
            chunk = b""
