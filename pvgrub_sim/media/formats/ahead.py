"""Reading ahead: a thread of its own unpacks the next pieces of a stream, while the last ones are stored and used."""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from sys import is_finalizing
from threading import Thread, current_thread

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.spool import Forward

AT_FIRST: Final = 64
"""Pieces, of a MiB at most, that are unpacked before anybody asks for them when a stream is opened: what a verdict
needs is imported meanwhile."""
LATER: Final = 8
"""Pieces that are unpacked before anybody asks for them from then on."""

LOOKS_EVERY: Final = 1.0
"""Seconds between two looks at whether a thread that gives nothing is there; it may lack memory even for an error."""


def ahead(stream: Forward, below: Disk) -> Forward:
    """A stream that is read ahead, where what it reads is a file of this system.

    Several threads may read that; from far away nothing is fetched that nobody has asked for.
    """
    return Ahead(stream, below.name) if isinstance(below, RawDisk) else stream


class Ahead:
    """A stream that is read in a thread of its own, a bounded number of pieces ahead.

    What goes wrong is raised by the read() that would have met it without a thread. stream: closed with this one. name:
    for messages.
    """

    def __init__(self, stream: Forward, name: str) -> None:
        self._stream = stream
        self._name = name
        self._work = _Work(stream)
        self._only_at_first = AT_FIRST - LATER
        self._thread: Thread | None = None
        self._alone = self._ended = False

    def read(self) -> bytes:
        """The next bytes, none at the end; raises what the stream raises."""
        if self._thread is None and not self._alone:
            self._start()
        if self._ended:
            return b""
        if self._thread is None:
            return self._stream.read()
        piece = self._take(self._thread)
        if self._only_at_first:
            self._only_at_first -= 1
        else:
            self._work.room.put(None)
        if isinstance(piece, bytes):
            self._ended = not piece
            return piece
        try:
            raise piece
        finally:
            # The error knows this frame, which is not to keep the error in turn.
            del piece

    def _take(self, thread: Thread) -> bytes | BaseException:
        while True:
            alive = thread.is_alive()
            try:
                return self._work.pieces.get(timeout=LOOKS_EVERY if alive else 0)
            except Empty:
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
        for _ in range(AT_FIRST):
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
    """What the thread does; it does not know who wants it, so that it ends when nobody does any more."""

    def __init__(self, stream: Forward) -> None:
        self.stream = stream
        self.pieces: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self.room: SimpleQueue[None] = SimpleQueue()
        self.stopped = False

    def run(self) -> None:
        """Read pieces while there is room for them, to the end or an error."""
        while self.room.get() is None and not self.stopped:
            piece: bytes | BaseException
            try:
                piece = self.stream.read()
            except BaseException as error:  # whatever it is: for the thread that asks for these bytes
                piece = error
            self.pieces.put(piece)
            if not piece or isinstance(piece, BaseException):
                return

    def stop(self) -> None:
        """Let run() end behind the piece that it is at."""
        self.stopped = True
        self.room.put(None)
