"""Real filesystem images changed at random: whatever is read from them ends, in bounds, in one of GRUB's ways."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.file.load import load_file
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.machine_factory import list_names, machine_on, open_file
from tests.grub.patching import PatchedDisk

NASTY = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
READ_LIMIT = 4 << 20
"""Bytes that are read of each file."""
MEMORY_LIMIT = 64 << 20


class WatchedDisk:
    """Remembers which sectors a run reads in small pieces: the ones that hold structures."""

    def __init__(self, image: Path) -> None:
        m = machine_on(image)
        self._disk = m.disks[0]
        self.name, self.size = self._disk.name, self._disk.size
        self.sectors: set[int] = set()

    def read(self, offset: int, length: int) -> bytes:
        if length <= 1 << 16:
            self.sectors.update(range(offset // 512, (offset + length + 511) // 512))
        return self._disk.read(offset, length)

    def close(self) -> None:
        self._disk.close()


def structures(
    image: Path, files: Iterable[bytes], folders: Iterable[bytes], loaded: Iterable[bytes] = ()
) -> list[int]:
    """Offsets of the 4-byte words that are not zero in the sectors that the driver looks at.

    files: opened. folders: listed. loaded: files that are read, too.
    """
    disk = WatchedDisk(image)
    for name in files:
        open_file(machine_on(disk), name)
    for name in loaded:
        load_file(machine_on(disk), name)
    for name in folders:
        list_names(machine_on(disk), name)
    places: list[int] = []
    for sector in sorted(disk.sectors):
        data = disk.read(512 * sector, 512)
        places += [512 * sector + at for at in range(0, 512, 4) if any(data[at : at + 4])]
    disk.close()
    return places


def patches(places: Sequence[int]) -> st.SearchStrategy[dict[int, bytes]]:
    """Some words changed: bits flipped, extreme numbers, other words copied over."""
    value = st.one_of(
        st.binary(min_size=1, max_size=8),
        st.builds(
            lambda number, size, order: (number & (1 << 8 * size) - 1).to_bytes(size, order),
            st.sampled_from(NASTY),
            st.sampled_from((1, 2, 4, 8)),
            st.sampled_from(("little", "big")),
        ),
        st.integers(0, 5000).map(lambda number: number.to_bytes(4, "little")),
        st.integers(0, 5000).map(lambda number: number.to_bytes(8, "big")),
    )
    place = st.builds(lambda at, shift: at + shift, st.sampled_from(places), st.integers(0, 3))
    return st.dictionaries(place, value, min_size=1, max_size=6)


def exercise(
    image: Path, changed: dict[int, bytes], size: int | None, files: Iterable[bytes], folders: Iterable[bytes]
) -> None:
    """Open and read every file and list every folder; anything but GRUB's own ends fails the test."""
    disk = PatchedDisk(image, changed, size)
    tracemalloc.start()
    try:
        for name in files:
            _ends_well(machine_on(disk), name, folder=False)
        for name in folders:
            _ends_well(machine_on(disk), name, folder=True)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
        disk.close()


def _ends_well(m: Machine, name: bytes, *, folder: bool) -> None:
    try:
        if folder:
            list_names(m, name)
            return
        open_file(m, name)
        m.errnum = type(m.errnum)(0)
        left = READ_LIMIT
        while left > 0:
            data = grub_read(m, 1 << 20)
            if not data:
                break
            left -= len(data)
    except GrubError as error:
        assert error.number == m.errnum
    except Stop as stop:
        assert stop.outcome in (Outcome.HANG, Outcome.CRASH)
        assert stop.reason
