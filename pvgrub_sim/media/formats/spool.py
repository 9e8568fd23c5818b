"""Spool: what can only be read forward, kept in unlinked sparse files so that it can be read anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.deadline import check_time
from pvgrub_sim.media.disk import ForwardOnly, finish, layers_of
from pvgrub_sim.media.formats.forward import Forward, ReadsAhead, Told
from pvgrub_sim.media.formats.unlinked import UnlinkedFile
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk, Layer

USUAL_LIMIT: Final = 64 << 30
"""Bytes that are unpacked at most where the caller says nothing."""
USUAL_STORED: Final = 8 << 30
USUAL_RATIO: Final = 100
"""Bytes that are not zeros, and take room in a file: so many at most, or so many times the compressed ones, where the
caller says nothing. A disk is not packed as tight as that."""
MOST_UNASKED: Final = 64 << 20
"""Bytes up to which store_ready() keeps what nobody has asked for yet."""
MUCH_ROOM: Final = 4 << 30
"""Bytes that are free on the filesystem of temporary files where store_ready() takes some."""
MOST_AT_ONCE: Final = 4 << 20
"""Bytes that no stream's piece is longer than."""
PROGRESS_EVERY: Final = 0.1
"""Seconds between two calls of the caller's progress function."""
WRITTEN_AT_ONCE: Final = 1 << 20
"""Bytes that become a hole in the temporary file where they are all zeros."""


class Spool:
    """A disk of what a stream brings, read only as far as is asked for.

    name: for messages. stream: where the bytes come from; closed with the disk. layer: this one, whose size is not
    yet known. below: the disk that the stream reads, if it reads one. context: the limit, and the progress function.
    size: in bytes where that is known; else it is found out by reading all.
    """

    _stream: Forward | None = None
    _zeros = bytearray()
    """A bytearray, since it is compared with memory of any kind as quickly as memory can be."""

    def __init__(
        self,
        name: str,
        stream: Forward,
        layer: Layer,
        context: Context,
        *,
        below: Disk | None = None,
        size: int | None = None,
    ) -> None:
        self.name = name
        self._stream = stream
        self._layer = layer
        self._below = below
        self._usual = context.access.spool_limit is None
        self._limit = USUAL_LIMIT if context.access.spool_limit is None else context.access.spool_limit
        self._stored = 0
        self._progress = context.access.progress
        self._told = time.monotonic()
        self._size = size
        self._likely: int | None = None
        """The size as long as it is not known, and the stream has not shown that it is another one."""
        self._measure: Callable[[], Told | None] | None = None
        self._least: Callable[[], int] | None = None
        self._may_hold: Callable[[int], bool] | None = None
        self._done = 0
        self._cut = False
        self._failed: ImageError | None = None
        self._file = UnlinkedFile(name)

    def know(
        self,
        measure: Callable[[], Told | None],
        least: Callable[[], int] | None = None,
        may_hold: Callable[[int], bool] | None = None,
    ) -> None:
        """Be told how the size can be found out, None where it cannot, when it is asked for.

        least: how to find out sooner what it is at least. may_hold: whether a size agrees with what is told of it.
        """
        self._measure, self._least, self._may_hold = measure, least, may_hold

    def holds(self, size: int) -> bool:
        """Whether it is known to hold so many bytes, without unpacking them; raises ImageError."""
        self._find_size()
        if self._size is not None:
            return self._size == size
        return self._may_hold is not None and self._may_hold(size)

    @property
    def size(self) -> int:
        """Size in bytes; raises ImageError when all of the stream has to be read for it and that fails.

        It is read where nothing tells the size for sure.
        """
        self._find_size()
        if self._size is None:
            self._unpack(None)
        assert self._size is not None
        return self._size

    def known_size(self) -> int:
        """Size in bytes, or the likely one as long as nothing speaks against it; raises ImageError as `size` does."""
        self._find_size()
        return self.size if self._likely is None else self._likely

    def _find_size(self) -> None:
        """Find the size out, or a likely one, where that costs little."""
        if self._size is None and self._measure is not None:
            told = self._measure()
            self._measure = None
            if told is not None and told.sure:
                self._size = told.size
                if self._done == self._size and self._failed is None and self._stream is not None:
                    # All of it came before anybody asked how much it is, and not what stands behind.
                    self._finish_sized()
            elif told is not None and self._done < told.size and self._stream is not None:
                self._likely = told.size
        if self._size is not None and self._done > self._size:
            raise self._too_long()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """This layer and those below, with its size as far as that is known by now."""
        size = self._size or self._likely or self._done
        return (self._layer._replace(size=size), *(layers_of(self._below) if self._below is not None else ()))

    @property
    def unpacked(self) -> int:
        """Bytes that have been read from the stream so far."""
        return self._done

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""
        data = self.read_upto(offset, length)
        if len(data) < length:
            raise ImageError(self.name, f"ends {length - len(data)} bytes short of a read", offset + len(data))
        return data

    def read_upto(self, offset: int, length: int) -> bytes:
        """As read(), but fewer bytes where the stream ends before; what its size is need not be known."""
        if offset + length > self._done:
            self._unpack(offset + length)
        return self._file.read(offset, max(0, min(length, self._done - offset)))

    def store_ready(self) -> None:
        """Keep what is unpacked by now, without waiting for any more, while it is not much that nobody has asked for.

        What goes wrong is raised by whoever asks for those bytes.
        """
        stream = self._stream
        # Bytes that nobody asked for take no room from other images that are unpacked there.
        if isinstance(stream, ReadsAhead) and self._file.free >= MUCH_ROOM:
            with suppress(ImageError):
                if self._least is None or self._least() < MOST_UNASKED + MOST_AT_ONCE:
                    # Whether a piece that reaches the end is right hangs on it.
                    self._find_size()
                while self._done < MOST_UNASKED and self._stream is not None and stream.ready:
                    self._unpack_piece(stream)

    def finish(self) -> None:
        """Read the stream to its end, and those below it; raises ImageError where something is wrong with them."""
        if self._stream is not None:
            self._unpack(None)

    def close(self) -> None:
        """Close the temporary file, which then is gone, and the stream; further reads fail."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._file.close()

    def _unpack(self, upto: int | None) -> None:
        """Go on reading up to a byte, or to the end."""
        told = False
        while self._stream is not None and (upto is None or self._done < upto):
            check_time()
            if not self._unpack_piece(self._stream):
                break
            if self._progress is not None and (now := time.monotonic()) - self._told > PROGRESS_EVERY:
                self._told = now
                told = True
                self._progress(self._done, self._size or self._likely)
        if told and self._progress is not None:
            # For now that is all.
            self._progress(self._done, self._done)

    def _unpack_piece(self, stream: Forward) -> bool:
        """Go on by as much as the stream gives at once; False at its end.

        Where that fails once, it fails again: what follows would be in the wrong place.
        """
        if self._failed is not None:
            raise self._failed.with_traceback(None)
        start = self._done
        self._failed = ImageError(self.name, "cannot be unpacked any further: that was interrupted", start)
        try:
            more = self._next_piece(stream)
        except ImageError as error:
            self._failed = ImageError(error.path, error.reason, error.offset)
            # Nothing of a piece with which something is wrong is believed.
            self._done = start
            raise
        self._failed = None
        return more

    def _next_piece(self, stream: Forward) -> bool:
        """Take what the stream gives, keep it, and look whether it may be as much; False at the stream's end."""
        if self._cut:
            raise self._over_limit()
        data = stream.read()
        if not data:
            self._end()
            return False
        self._keep(data)
        if self._size is not None and self._done >= self._size:
            self._check_end()
        elif self._likely is not None and self._done >= self._likely:
            self._pass_likely(stream)
        return True

    def _keep(self, data: bytes | memoryview) -> None:
        """Keep a piece, as far as there may be as much; raises ImageError."""
        room = self._limit - self._done
        self._cut = len(data) > room
        if self._cut and not room:
            raise self._over_limit()
        self._store(data[:room] if self._cut else data)
        self._check_stored()

    def _over_limit(self) -> ImageError:
        return ImageError(
            self.name, f"unpacks to more than {self._limit} bytes, which is the limit (--spool-limit)", self._done
        )

    def _check_stored(self) -> None:
        """No file of a few MiB fills the disk that temporary files are on; raises ImageError."""
        if not self._usual or self._stored <= USUAL_STORED or self._below is None:
            return
        below = self._below
        packed = below.unpacked if isinstance(below, ForwardOnly) else below.size
        if self._stored > USUAL_RATIO * packed:
            raise ImageError(
                self.name,
                f"unpacks to more than {USUAL_STORED >> 30} GiB and {USUAL_RATIO} times its size, zeros aside "
                "(--spool-limit SIZE allows it)",
                self._done,
            )

    def _finish_sized(self) -> None:
        """Look at the end, and fail again later where something is wrong with it: nothing of it is believed then."""
        try:
            self._check_end()
        except ImageError as error:
            self._failed = ImageError(error.path, error.reason, error.offset)
            self._done = 0
            raise

    def _check_end(self) -> None:
        """All that was announced is there: then the stream must end, where its checksum stands as a rule."""
        if self._done == self._size and self._stream is not None and not self._stream.read():
            self._end()
        else:
            raise self._too_long()

    def _pass_likely(self, stream: Forward) -> None:
        """As much is there as is likely: either the stream ends, or that was not the size."""
        if self._done == self._likely:
            data = stream.read()
            if not data:
                self._end()
                return
            self._keep(data)
        self._likely = None

    def _too_long(self) -> ImageError:
        return ImageError(self.name, f"unpacks to more than the {self._size} bytes that it is said to hold")

    def _end(self) -> None:
        if self._size is not None and self._done != self._size:
            raise ImageError(
                self.name, f"unpacks to {self._done} bytes instead of the {self._size} that it is said to hold"
            )
        if self._below is not None:
            # The stream may end before what it lies in does.
            finish(self._below)
        self._size, self._likely = self._done, None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _store(self, data: bytes | memoryview) -> None:
        """Put bytes at the end; whole pieces of zeros become a hole."""
        # Not before the first bytes are there: more are being unpacked by now.
        self._zeros = self._zeros or bytearray(WRITTEN_AT_ONCE)
        for at in range(0, len(data), WRITTEN_AT_ONCE):
            piece = data[at : at + WRITTEN_AT_ONCE]
            zeros: object = self._zeros if len(piece) == WRITTEN_AT_ONCE else self._zeros[: len(piece)]
            if zeros != piece:
                self._file.write(piece, self._done)
                self._stored += len(piece)
            self._done += len(piece)
