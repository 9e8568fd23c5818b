"""Reading ahead: a thread of its own unpacks the next pieces of a stream, while the last ones are stored and used."""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from sys import is_finalizing
from threading import Thread, current_thread

from pvgrub_sim.errors import ImageError
from pvgrub_sim.large_pages import keep_freed_memory, large_pages
from pvgrub_sim.media.deadline import check_time
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.forward import Forward

AT_FIRST: Final = 32
"""Pieces, of a MiB at most, that are unpacked before anybody asks for them when a stream is opened: what a verdict
needs is imported meanwhile."""
LATER: Final = 8
"""Pieces that are unpacked before anybody asks for them from then on."""
SLOT: Final = 2 << 20
"""Bytes of a piece for a stream that fills memory which is there: as many as a large page has."""
FIRST_SLOT: Final = 256 << 10
"""Bytes of the first of these pieces, without which nothing else begins."""
SLOTS_AT_FIRST: Final = 32
SLOTS_LATER: Final = 3
"""How many of these pieces are unpacked before anybody asks for them."""

LOOKS_EVERY: Final = 1.0
"""Seconds between two looks at whether a thread that gives nothing is there; it may lack memory even for an error."""


def ahead(stream: Forward, below: Disk) -> Forward:
    """A stream that is read ahead, where what it reads is a file of this system.

    Several threads may read that; from far away nothing is fetched that nobody has asked for.
    """
    return Ahead(stream, below.name) if isinstance(below, RawDisk) else stream


@runtime_checkable
class Fills(Protocol):
    """An optional power of a stream: it unpacks into memory that is there already."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer with the next bytes, and tell how many they are; otherwise as read()."""


class Ahead:
    """A stream that is read in a thread of its own, a bounded number of pieces ahead.

    What goes wrong is raised by the read() that would have met it without a thread. stream: closed with this one. name:
    for messages.
    """

    def __init__(self, stream: Forward, name: str) -> None:
        self._stream = stream
        self._name = name
        self._work = _Work(stream)
        self._rooms = SLOTS_AT_FIRST if self._work.fills else AT_FIRST
        self._only_at_first = self._rooms - (SLOTS_LATER if self._work.fills else LATER)
        self._thread: Thread | None = None
        self._alone = self._ended = False
        self._taken = 0
        self._last: bytes | memoryview = b""

    def read(self) -> bytes | memoryview:
        """The next bytes, none at the end, which are overwritten after the next call; raises what the stream raises."""
        if self._thread is None and not self._alone:
            self._start()
        if self._ended:
            return b""
        if self._thread is None:
            return self._stream.read()
        self._make_room()
        piece = self._take(self._thread)
        if isinstance(piece, bytes | memoryview):
            self._ended = not piece
            self._last = piece
            return piece
        try:
            raise piece
        finally:
            # The error knows this frame, which is not to keep the error in turn.
            del piece

    @property
    def ready(self) -> bool:
        """Whether the next read() gives its bytes without waiting and without an error of the stream."""
        return not self._work.failed and not self._work.pieces.empty()

    def _make_room(self) -> None:
        """There is one piece less, and the memory that it was in is free; later on less than at first is wanted."""
        last, self._last = self._last, b""
        if not last:
            return
        self._taken += 1
        begins = self._taken <= self._rooms
        if self._work.fills and isinstance(last, memoryview) and (begins or len(self._work.free) < SLOTS_LATER):
            self._work.give_back(last)
        if begins or not self._only_at_first:
            self._work.room.put(None)
        else:
            self._only_at_first -= 1

    def _take(self, thread: Thread) -> bytes | memoryview | BaseException:
        while True:
            alive = thread.is_alive()
            try:
                return self._work.pieces.get(timeout=LOOKS_EVERY if alive else 0)
            except Empty:
                check_time()
                if not alive:
                    # It has ended with an error; or it is a thread of the process that this one was forked from.
                    raise ImageError(self._name, "cannot be unpacked any further, in this process") from None

    def close(self) -> None:
        """Stop behind the piece that is being unpacked, and close the stream."""
        self._work.stop()
        # An interpreter that ends lets no other thread run any more.
        if self._thread is not None and self._thread is not current_thread() and not is_finalizing():
            self._thread.join()
        self._stream.close()

    def __del__(self) -> None:
        # Without waiting: garbage is collected in the middle of anything.
        self._work.stop()

    def _start(self) -> None:
        if not self._work.fills:
            keep_freed_memory()
        for _ in range(self._rooms):
            self._work.room.put(None)
        thread = Thread(target=self._work.run, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had.
            self._alone = True
        else:
            self._thread = thread


class _Work:
    """What the thread does; it does not know who wants it, so that it ends when nobody does any more.

    fills: whether the stream unpacks into memory that is there already. pieces: what it has unpacked, or why it ended.
    room: for each piece that there may be. free: memory for pieces that is not in use.
    """

    def __init__(self, stream: Forward) -> None:
        self.stream = stream
        self.fills = isinstance(stream, Fills)
        self.pieces: SimpleQueue[bytes | memoryview | BaseException] = SimpleQueue()
        self.room: SimpleQueue[None] = SimpleQueue()
        self.free: list[memoryview] = []
        self.stopped = self.failed = False
        self._slot = FIRST_SLOT

    def run(self) -> None:
        """Read pieces while there is room for them, to the end or an error."""
        while True:
            self.room.get()
            if self.stopped:
                return
            piece: bytes | memoryview | BaseException
            try:
                piece = self._filled(cast("Fills", self.stream)) if self.fills else self.stream.read()
            except BaseException as error:  # whatever it is: for the thread that asks for these bytes
                piece, self.failed = error, True
            self.pieces.put(piece)
            if not piece or isinstance(piece, BaseException):
                return

    def _filled(self, stream: Fills) -> memoryview:
        if self.free:
            memory = self.free.pop()
        else:
            memory = memoryview(large_pages(self._slot))
            self._slot = SLOT
        return memory[: stream.readinto(memory)]

    def give_back(self, piece: memoryview) -> None:
        """Let the memory of a piece be filled again."""
        whole = memoryview(piece.obj)
        if len(whole) == SLOT:
            self.free.append(whole)

    def stop(self) -> None:
        """Let run() end behind the piece that it is at."""
        self.stopped = True
        self.room.put(None)
