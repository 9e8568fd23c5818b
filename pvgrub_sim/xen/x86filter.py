"""xz's filter for x86 code, behind the decoder in a thread of its own.

It takes about a tenth of the time that a kernel takes to unpack, and liblzma lets go of the interpreter meanwhile.
Chunks that are not packed carry the decoder's output through a second decoder, which has nothing to do but filter.
"""

from __future__ import annotations

import lzma
import math
import os
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

from pvgrub_sim.typed import Self
from pvgrub_sim.xen.packed import Sink

WORTH_A_THREAD = 1 << 20
"""Bytes from which on there is a thread: blocks may be small, and many."""
AHEAD = 64
"""Pieces by which the decoder may be ahead of the filter: memory has its limits."""
CHUNK = 1 << 16
"""Bytes that a chunk of LZMA2 which is not packed may hold."""
FIRST_CHUNK, NEXT_CHUNK, END = b"\1", b"\2", b"\0"
"""Control bytes of LZMA2 (xz/dec_lzma2.c:xz_dec_lzma2_run)."""
SMALLEST_WINDOW = 4096


def processors() -> int:
    """How many there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class X86Filter:
    """Takes a block's contents as they come from the LZMA2 decoder, and passes them on filtered.

    A context: at its end, all has been passed on. What `out` raises is raised there.
    """

    def __init__(self, out: Sink) -> None:
        filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": SMALLEST_WINDOW}]
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        self._control = FIRST_CHUNK
        self._out = out
        self._before = len(out)
        self._size = 0
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._alone_until: float = WORTH_A_THREAD
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def __len__(self) -> int:
        return self._before + self._size

    def append(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size += len(chunk)
        if self._thread is None and self._size >= self._alone_until:
            self._begin()
        if self._thread is None:
            self._filter(chunk)
        else:
            self._room.get()
            self._waiting.put(chunk)

    def _begin(self) -> None:
        """Start the thread, where the system still has one."""
        thread = Thread(target=self._run)
        try:
            thread.start()
        except RuntimeError:
            self._alone_until = math.inf
            return
        for _ in range(AHEAD):
            self._room.put(None)
        self._thread = thread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        if kind is None:
            if self._error is not None:
                raise self._error
            # The last bytes might have been the beginning of a jump.
            self._out.append(self._stream.decompress(END))

    def _run(self) -> None:
        while (chunk := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._filter(chunk)
                except Exception as error:  # whatever it is
                    # Raised again where the thread is waited for; until then what comes is thrown away.
                    self._error = error
            self._room.put(None)

    def _filter(self, data: bytes) -> None:
        for at in range(0, len(data), CHUNK):
            piece = data[at : at + CHUNK]
            header = self._control + (len(piece) - 1).to_bytes(2, "big")
            self._control = NEXT_CHUNK
            self._out.append(self._stream.decompress(header + piece))
