"""Packed clusters: unpacked one by one, the last ones kept, and many of them by all processors."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence

from pvgrub_sim.errors import ImageError
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

KEPT: Final = 16 << 20
"""Bytes of unpacked clusters that are kept."""
WORTH_A_THREAD: Final = 4
"""Clusters for which a thread is started; the libraries let other threads run while they unpack."""
MOST_THREADS: Final = 4


class Unpacker:
    """Unpacks the clusters of an image.

    fetch: gives a cluster's packed bytes by where they lie: offset and length in bytes. unpack: makes the cluster of
    them, the offset for messages beside; it may be called from several threads at once. Both raise ImageError.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], unpack: Callable[[bytes, int], bytes]) -> None:
        self.fetch = fetch
        self.unpack = unpack
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, offset: int, length: int) -> bytes:
        """A cluster, perhaps one that was kept."""
        cluster = self._kept.get(offset)
        if cluster is None:
            cluster = self.unpack(self.fetch(offset, length), offset)
            self._kept[offset] = cluster
            self._bytes += len(cluster)
            while self._bytes > KEPT and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        else:
            self._kept.move_to_end(offset)
        return cluster


class Packed(NamedTuple):
    """A packed cluster: its unpacker, and where it lies packed."""

    unpacker: Unpacker
    offset: int
    length: int

    def part(self, begin: int, size: int) -> bytes:
        """A part of the cluster."""
        return self.unpacker.get(self.offset, self.length)[begin : begin + size]


def fill(work: Sequence[tuple[memoryview, Packed, int]]) -> None:
    """Fill places with parts of packed clusters: place, cluster, and from which byte on of it. Raises ImageError."""
    count = min(len(work) // WORTH_A_THREAD, MOST_THREADS, len(os.sched_getaffinity(0)))
    if count < 2:
        for view, cluster, begin in work:
            view[:] = cluster.part(begin, len(view))
        return
    # Images without packed clusters start sooner without it.
    import threading

    failed: list[ImageError] = []
    # What lies below, a spool or a connection, is for one thread at a time.
    reading = threading.Lock()

    def some(number: int) -> None:
        try:
            for view, cluster, begin in work[number::count]:
                if failed:
                    return
                # Not by way of what is kept: that is for one thread, and a long run would only push it out.
                with reading:
                    packed = cluster.unpacker.fetch(cluster.offset, cluster.length)
                view[:] = cluster.unpacker.unpack(packed, cluster.offset)[begin : begin + len(view)]
        except ImageError as error:
            failed.append(error)

    threads = []
    alone = [0]
    for number in range(1, count):
        thread = threading.Thread(target=some, args=(number,))
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had.
            alone.append(number)
        else:
            threads.append(thread)
    for number in alone:
        some(number)
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
