"""Writing behind: pieces of a file are written in a thread of their own, while the next ones are unpacked."""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import Final

MOST_WAITING: Final = 4
"""Pieces that wait to be written, at most."""


class Behind:
    """Writes pieces where they belong, one after another; put() and finish() raise OSError when one could not be.

    fd: the file. Not for several threads at once; finish() waits until all is written.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pieces: SimpleQueue[tuple[bytes, int] | None] = SimpleQueue()
        self._room = threading.Semaphore(MOST_WAITING)
        self._error: OSError | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._run, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # No thread is to be had.
            self._thread = None

    def put(self, piece: bytes, offset: int) -> None:
        """Have a piece written at a byte offset."""
        if self._thread is None:
            write_all(self._fd, piece, offset)
            return
        self._room.acquire()
        if self._error is not None:
            raise self._error
        self._pieces.put((piece, offset))

    def finish(self) -> None:
        """Wait until all pieces are written; nothing more may come then."""
        if self._thread is not None:
            self._pieces.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._pieces.get()) is not None:
            try:
                if self._error is None:
                    write_all(self._fd, *item)
            except OSError as error:
                self._error = error
            self._room.release()


def write_all(fd: int, piece: bytes, offset: int) -> None:
    """Write a piece at a byte offset, however many calls that takes; raises OSError."""
    written = os.pwrite(fd, piece, offset)
    while written < len(piece):
        written += os.pwrite(fd, memoryview(piece)[written:], offset + written)
