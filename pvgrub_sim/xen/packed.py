"""What the decoders of kernel payloads have in common: their input, their output and how they fail."""

from __future__ import annotations

from pvgrub_sim.typed import Any, Protocol
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.excerpt import OUTPUT_LIMIT, Excerpt
from pvgrub_sim.xen.memory import KernelMemory

STEP = 1 << 15
"""Bytes of output asked for at a time, where a library lets one ask: what the standard library's get in one piece."""
FEED = 1 << 18
"""Bytes of input given at a time."""


class PayloadDamaged(Exception):
    """A payload does not unpack; args are the decoder's own messages, one line each (often none)."""


class PayloadTooLarge(PayloadDamaged):
    """A payload does not unpack because there is no room for what comes out of it."""


class Sink(Protocol):
    """What takes a decoder's output, and knows how much there was."""

    def __len__(self) -> int: ...

    def append(self, chunk: bytes) -> None:
        """Take the next bytes."""


class Packed(NamedTuple):
    """A payload as a decoder gets it.

    image: the kernel file from the payload's first byte to the file's end (one decoder reads past the payload).
    length: of the payload, in bytes. bits: width of PV-GRUB's pointers, 64 or 32. lz4: see Loader.
    keep_all: keep the whole output, not only what the loader looks at. memory: of
    the kernel, where the result is remembered; None when it is not to be. most: bytes that there is room for.
    """

    image: memoryview
    length: int
    bits: int = 64
    lz4: str = "checked"
    keep_all: bool = False
    memory: KernelMemory | None = None
    most: int = OUTPUT_LIMIT

    def output(self) -> Excerpt:
        """Where the output goes."""
        return Excerpt(self.keep_all, self.most, self.memory.budget if self.memory else None)

    @property
    def payload(self) -> memoryview:
        """The payload alone."""
        return self.image[: self.length]

    @property
    def size_word(self) -> int:
        """The payload's last 4 bytes: the unpacked size, by the kernel build's convention."""
        return int.from_bytes(self.image[max(self.length - 4, 0) : self.length], "little")


class Unpacked(NamedTuple):
    """What a decoder made, and the size in bytes that the loader takes it to have (zeros behind the data)."""

    data: Excerpt
    size: int


def whole(out: Excerpt) -> Unpacked:
    """Unpacked data without anything behind it."""
    return Unpacked(out, len(out))


def drain(stream: Any, payload: memoryview, out: Sink, most: int = OUTPUT_LIMIT + 1) -> int:
    """Feed a payload to a decompressor of the standard library, and take at most so many bytes of output from it.

    Returns how many bytes of the payload it took, once it has come to the end of its stream.
    """
    left = most - len(out)
    for at in range(0, len(payload), FEED):
        chunk: bytes | memoryview = payload[at : at + FEED]
        while True:
            piece = stream.decompress(chunk, min(STEP, left))
            out.append(piece)
            left -= len(piece)
            if stream.eof or not left:
                return min(at + FEED, len(payload)) - len(stream.unused_data)
            if stream.needs_input:
                break
            chunk = b""
    return len(payload)
