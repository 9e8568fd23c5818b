"""How long reading a menu.lst takes, by its size and by what it is made of.

Prints one line a kind and size: CPU seconds, MiB/s and the peak of memory. Linear means that MiB/s
stay the same from 1 MiB on. Usage: python bench/bench_menu.py [LARGEST_SIZE_IN_MIB] (default 100)
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator

from pvgrub_sim.grub.console.terminal import Terminal
from pvgrub_sim.grub.machine import Handover, Machine
from pvgrub_sim.grub.menu.config import read_menu
from pvgrub_sim.profiles import find_profile

MIB = 1 << 20
KINDS: dict[str, bytes] = {
    "entries": b"title Linux\nroot (hd0)\nkernel /boot/vmlinuz root=LABEL=/ console=hvc0\ninitrd /boot/initrd\n\n",
    "short commands": b"boot\n",
    "unknown commands": b"uuid 5f2a\n",
    "comments": b"# a comment, as Debian's update-grub writes dozens\n",
    "empty lines": b"\n",
    "backslash-newline": b"\\\n",
    "one line": b"a",
    "NUL": b"\0",
    "CR LF": b"kernel /boot/vmlinuz\r\n",
}


class OpenFile:
    """Stands for a filesystem whose open file is `size` bytes of a repeated pattern."""

    name = "bench"

    def __init__(self, m: Machine, pattern: bytes, size: int) -> None:
        self._m = m
        self._block = pattern * (2 * MIB // len(pattern) + 2)
        self._period = len(pattern)
        m.filemax = size

    def read(self, length: int) -> bytes:
        at = self._m.filepos % self._period
        self._m.filepos += length
        return self._block[at : at + length]


def _no_loader(m: Machine, handover: Handover) -> None:
    raise AssertionError


def measure(pattern: bytes, size: int, *, memory: bool) -> tuple[float, int, int]:
    """CPU seconds, entries and peak bytes of reading a config file of `size` bytes."""
    m = Machine(find_profile("xen-4.17"), [], Terminal(), _no_loader)
    m.fsys = OpenFile(m, pattern, size)
    m.fsmax = 0x7FFFFFFF
    if memory:
        tracemalloc.start()
    begin = time.process_time()
    menu = read_menu(m)
    seconds = time.process_time() - begin
    peak = tracemalloc.get_traced_memory()[1] if memory else 0
    tracemalloc.stop()
    return seconds, len(menu), peak


def sizes(largest: int) -> Iterator[int]:
    """1, 10, … MiB up to the largest."""
    size = 1
    while size < largest:
        yield size
        size *= 10
    yield largest


def main(largest: int = 100) -> None:
    """Print the table."""
    print(f"{'kind':<20}{'MiB':>5}{'seconds':>9}{'MiB/s':>8}{'entries':>9}{'peak MiB':>10}")
    for kind, pattern in KINDS.items():
        for size in sizes(largest):
            seconds, entries, _ = measure(pattern, size * MIB, memory=False)
            peak = measure(pattern, size * MIB, memory=True)[2] if size <= 10 else 0
            shown = f"{peak / MIB:>10.1f}" if peak else ""
            print(f"{kind:<20}{size:>5}{seconds:>9.2f}{size / seconds:>8.1f}{entries:>9}{shown}", flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
