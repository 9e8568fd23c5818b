"""The decoders of compressed files, each a stream that gives at most a few MiB at once, whatever it is fed."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Expects, layers_of, read_upto
from pvgrub_sim.media.formats.frames import MOST_PADDING, ZstdWalk, too_much_padding
from pvgrub_sim.typed import TYPE_CHECKING, Final, Protocol, cast
from pvgrub_sim.zstd import zstd_library

if TYPE_CHECKING:
    from typing import IO

    from pvgrub_sim.media.disk import Disk

CHUNK: Final = 256 << 10
"""Bytes that are read of the compressed file at once."""
FAR: Final = 4 << 20
"""Bytes that are fetched at once of a compressed file that lies far away."""
PIECE: Final = 1 << 20
"""Bytes that a decoder gives at once."""
ZSTD_CHUNK: Final = 1 << 20
"""Bytes that libzstd reads at once: with less the threads of Python's would take turns more often."""
XZ_MEMORY: Final = 256 << 20
"""Bytes that an xz stream's dictionary may want, half of it in another one, and so on; `xz -9` wants 65 MiB."""
FEW_MEMBERS: Final = 1000
LEAST_IN_MEMBERS: Final = 4096
"""Bytes that a member unpacks to on the average, where there are more members than that: no program writes less."""
ZSTD_WINDOW: Final = 1 << 27
"""Bytes; `zstd --ultra -22` wants as much, and `--long=27`. Here as well a file in another one has half of it."""


class Input:
    """The bytes of a disk from a place on, for decoders.

    upto: where they end, None for the end of the disk, which need not be known if the disk can be read forward only.
    """

    def __init__(self, below: Disk, offset: int = 0, upto: int | None = None) -> None:
        self.below = below
        self.at = offset
        self._upto = upto

    def next(self, length: int = CHUNK) -> bytes:
        """The next bytes, none at the end."""
        if self._upto is not None:
            length = min(length, self._upto - self.at)
        if isinstance(self.below, Expects):
            self.below.expect([(self.at, FAR)])
        data = read_upto(self.below, self.at, length)
        self.at += len(data)
        return data

    def fail(self, reason: str) -> ImageError:
        """The error that names the compressed file and how far it was read."""
        return ImageError(self.below.name, reason, self.at)


def _share(most: int, below: Disk) -> int:
    """What is left of some memory where the file lies in others whose decoders want much as well."""
    return most >> sum(layer.format in ("xz", "zstd") for layer in layers_of(below))


class _Decompressor(Protocol):
    """What gzip's, xz's, bzip2's and lz4's libraries have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Members:
    """A file of compressed members one after another (gzip, xz, bzip2 and lz4 allow that).

    words: the format's name. make: a new decompressor. magic: what another member begins with. errors: what the library
    raises. strict: whether anything else behind the last member is an error, as it is for the format's own program,
    zeros up to the end apart; else all of it is left out. padding: so many zeros, or a multiple of that, may stand
    between members. memory: bytes that the library may use.
    """

    def __init__(
        self,
        source: Input,
        words: str,
        make: Callable[[], _Decompressor],
        magic: bytes | tuple[bytes, ...],
        errors: tuple[type[Exception], ...],
        *,
        strict: bool,
        padding: int = 0,
        memory: int = 0,
    ) -> None:
        self._input = source
        self._words = words
        self._make = make
        self._magic = magic
        self._errors = errors
        self._strict = strict
        self._padding = padding
        self._memory = memory
        self._decoder: _Decompressor | None = make()
        self._pending = b""
        self._more = memoryview(b"")
        self._members = self._given = self._zeros = 0

    def read(self) -> bytes | memoryview:
        """The next bytes, none at the end; raises ImageError for what is damaged or ends too early."""
        if not self._more:
            data = self._decoded()
            if len(data) <= PIECE:
                return data
            self._more = memoryview(data)
        piece, self._more = self._more[:PIECE], self._more[PIECE:]
        return piece

    def _decoded(self) -> bytes:
        """What the decoder gives next, which is no more than a few MiB."""
        while self._decoder is not None:
            data = self._step(self._decoder)
            self._given += len(data)
            if self._decoder.eof:
                self._next_member(self._decoder.unused_data or b"")
            if data:
                return data
        return b""

    def _step(self, decoder: _Decompressor) -> bytes:
        # A decoder that has been given all may still have more to give.
        wants = getattr(decoder, "needs_input", True)
        given = self._pending or (self._input.next(getattr(decoder, "wanted", 0) or CHUNK) if wants else b"")
        if not given and wants:
            data = self._decode(decoder, b"")
            if not data and not decoder.eof:
                raise self._input.fail(f"ends in the middle of its {self._words} stream")
            return data
        data = self._decode(decoder, given)
        self._pending = getattr(decoder, "unconsumed_tail", b"")
        return data

    def _decode(self, decoder: _Decompressor, given: bytes) -> bytes:
        try:
            return decoder.decompress(given, PIECE)
        except self._errors as error:
            if "Memory usage limit" in str(error):
                raise self._input.fail(f"needs more than {self._memory >> 20} MiB of memory to be unpacked") from None
            raise self._input.fail(f"is damaged ({self._words}: {error})") from None

    def _next_member(self, rest: bytes) -> None:
        """Begin with the next member, if there is one."""
        self._decoder = None
        self._pending = b""
        needed = max(map(len, (self._magic,) if isinstance(self._magic, bytes) else self._magic))
        zeros = 0
        while True:
            if self._strict:
                zeros += len(rest) - len(rest := rest.lstrip(b"\0"))
                if self._zeros + zeros > MOST_PADDING:
                    raise too_much_padding(self._input.below.name, self._words, self._input.at)
            if len(rest) >= needed or not (more := self._input.next()):
                break
            rest += more
        self._zeros += zeros
        padded = not zeros or (self._padding and not zeros % self._padding)
        if rest.startswith(self._magic) and padded:
            self._members += 1
            if self._members > FEW_MEMBERS and self._given < self._members * LEAST_IN_MEMBERS:
                raise self._input.fail(
                    f"is damaged ({self._words}: {self._members} members with next to nothing in them)"
                )
            self._decoder = self._make()
            self._pending = rest
        elif rest and self._strict:
            raise self._input.fail(f"goes on behind its {self._words} stream with something else")

    def close(self) -> None:
        """Close the compressed file."""
        self._input.below.close()


def gzip_stream(source: Input) -> Members:
    """gzip (RFC 1952), by isal or zlib."""
    from pvgrub_sim.deflate import deflate_library

    library = deflate_library()
    errors: tuple[type[Exception], ...] = (library.error, EOFError)
    return Members(source, "gzip", lambda: library.decompressobj(31), b"\x1f\x8b", errors, strict=False)


def deflate_stream(source: Input) -> Members:
    """Deflate without a header (RFC 1951), as zip has it, by isal or zlib."""
    from pvgrub_sim.deflate import deflate_library

    library = deflate_library()
    errors: tuple[type[Exception], ...] = (library.error, EOFError)
    return Members(source, "deflate", lambda: library.decompressobj(-15), b"\xff" * 8, errors, strict=False)


def xz_stream(source: Input) -> Members:
    """xz, by liblzma."""
    import lzma

    memory = _share(XZ_MEMORY, source.below)

    def make() -> _Decompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory)

    errors = (lzma.LZMAError, EOFError)
    return Members(source, "xz", make, b"\xfd7zXZ\0", errors, strict=True, padding=4, memory=memory)


def bzip2_stream(source: Input) -> Members:
    """bzip2, by libbz2."""
    import bz2

    return Members(source, "bzip2", bz2.BZ2Decompressor, b"BZh", (OSError, EOFError, ValueError), strict=False)


class ZstdStream:
    """zstd (RFC 8878), by libzstd; frames one after another."""

    def __init__(self, source: Input) -> None:
        zstandard = zstd_library()

        self._input = source
        self._error = zstandard.ZstdError
        self._packed = _Followed(source)
        self._window = _share(ZSTD_WINDOW, source.below)
        decoder = zstandard.ZstdDecompressor(max_window_size=self._window)
        self._reader = decoder.stream_reader(
            cast("IO[bytes]", self._packed), read_size=ZSTD_CHUNK, read_across_frames=True
        )

    def read(self) -> memoryview:
        """The next bytes, none at the end; raises ImageError for what is damaged or ends too early."""
        buffer = memoryview(bytearray(PIECE))
        return buffer[: self.readinto(buffer)]

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer with the next bytes, and tell how many: fewer at the end only. Raises errors as read() does."""
        try:
            got: int = self._reader.readinto(buffer)
        except self._error as error:
            if "too much memory" in str(error):
                raise self._input.fail(f"needs more than {self._window >> 20} MiB of memory to be unpacked") from None
            raise self._input.fail(f"is damaged (zstd: {error})") from None
        if not got and self._packed.unfinished:
            raise self._input.fail("ends in the middle of its zstd stream")
        return got

    def close(self) -> None:
        """Close the compressed file."""
        self._input.below.close()


class _Followed:
    """The compressed bytes for libzstd, whose frames are followed, since it does not tell where they end."""

    def __init__(self, source: Input) -> None:
        self._input = source
        self._walk = ZstdWalk(source.below.name)

    @property
    def unfinished(self) -> bool:
        """Whether the bytes that were read end in a frame, or in what a header has announced."""
        return self._walk.inside or self._walk.at > self._input.at

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end."""
        at = self._input.at
        data = self._input.next(size)
        self._walk.follow(at, data)
        return data


def lz4_stream(source: Input) -> Members:
    """lz4 frames, by liblz4."""
    from pvgrub_sim.media.formats.lz4_decoder import Lz4Decoder

    magic = (b"\x04\x22\x4d\x18", *(bytes((number,)) + b"\x2a\x4d\x18" for number in range(0x50, 0x60)))
    return Members(source, "lz4", Lz4Decoder, magic, (RuntimeError, EOFError), strict=True)
