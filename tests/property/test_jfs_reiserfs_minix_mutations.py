"""Hostile JFS, ReiserFS and minix images: always an outcome, within the step budget and in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import setup_part
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import STEP_BUDGET, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.media import open_disk
from pvgrub_sim.model import Outcome
from tests.grub.machine_factory import machine_on, open_file
from tests.grub.patching import PatchedDisk, recorded_image
from tests.rounds import rounds

CASES = {
    "jfs-plain": b"(hd0)/boot/vmlinuz",
    "jfs-dir2000-late": b"(hd0)/boot/vmlinuz",
    "jfs-link-900": b"(hd0)/boot/vmlinuz",
    "jfs-frag": b"(hd0)/boot/vmlinuz",
    "reiserfs-36": b"(hd0)/boot/vmlinuz",
    "reiserfs-35-big": b"(hd0)/boot/vmlinuz",
    "reiserfs-36-replay1024": b"(hd0)/boot/vmlinuz",
    "minix-v1-big": b"(hd0)/boot/vmlinuz",
    "minix-link-slow": b"(hd0)/boot/vmlinuz",
}
CHUNK = 1 << 20
READ_MAX = 64
"""Chunks of a file that are read: what is asked for bounds what is kept in memory, not what the file says."""
MEMORY_MAX = 24 << 20


class Watched:
    """A disk that remembers which places were read in small pieces: where the structures are."""

    def __init__(self, image: Path) -> None:
        self._disk = open_disk(str(image))
        self.name, self.size = self._disk.name, self._disk.size
        self.places: set[tuple[int, int]] = set()

    def read(self, offset: int, length: int) -> bytes:
        if length <= 4096:
            self.places.add((offset, length))
        return self._disk.read(offset, length)

    def close(self) -> None:
        self._disk.close()


def run_through(m: Machine, name: bytes) -> str:
    """Open and read a file and list its folder; returns how it ended."""
    ended = []
    try:
        try:
            open_file(m, name)
            m.errnum = ErrNum.NONE
            for _ in range(READ_MAX):
                if not grub_read(m, CHUNK):
                    break
            ended.append("read")
        except GrubError as error:
            ended.append(str(int(error.number)))
        m.errnum = ErrNum.NONE
        try:
            path = setup_part(m, name.rpartition(b"/")[0] + b"/")
            for _ in m.fsys.list(path) if m.fsys else ():
                m.tick()
            ended.append("listed")
        except GrubError as error:
            ended.append(str(int(error.number)))
    except Stop as stop:
        assert stop.outcome in (Outcome.HANG, Outcome.CRASH)
        ended.append(stop.outcome)
    assert m.steps <= STEP_BUDGET + (1 << 20)
    return " ".join(ended)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Path, list[tuple[int, int]]]]]:
    """The images, each with the places of its structures, in bytes."""
    folder = tmp_path_factory.mktemp("mutations")
    found = {}
    for case, name in CASES.items():
        image = recorded_image(case, folder)
        disk = Watched(image)
        assert run_through(machine_on(disk), name).endswith("listed")
        found[case] = (image, sorted(disk.places))
    yield found
    for image, _ in found.values():
        image.unlink()


WORDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
words = st.tuples(st.one_of(st.sampled_from(WORDS), st.integers(0, (1 << 64) - 1)), st.sampled_from((1, 2, 4, 8)))
mutations = st.lists(st.tuples(st.integers(0), st.integers(0, 4095), words), min_size=1, max_size=6)
common = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=rounds(60, otherwise=8)
)


def patches_of(chosen: list[tuple[int, int, tuple[int, int]]], places: list[tuple[int, int]]) -> dict[int, bytes]:
    patches = {}
    for which, at, (value, width) in chosen:
        offset, length = places[which % len(places)]
        place = offset + at % max(length - width, 1) // width * width
        patches[place] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return patches


@pytest.mark.parametrize("case", CASES)
@common
@given(chosen=mutations)
def test_changed_words(
    images: dict[str, tuple[Path, list[tuple[int, int]]]], case: str, chosen: list[tuple[int, int, tuple[int, int]]]
) -> None:
    image, places = images[case]
    assert run_through(machine_on(PatchedDisk(image, patches_of(chosen, places))), CASES[case])


@pytest.mark.parametrize("case", CASES)
@settings(common, max_examples=rounds(25, otherwise=8))
@given(data=st.data())
def test_blocks_in_the_place_of_others(
    images: dict[str, tuple[Path, list[tuple[int, int]]]], case: str, data: st.DataObject
) -> None:
    """Whole structures copied over others: trees that lead back to themselves, leaves where nodes belong."""
    image, places = images[case]
    disk = open_disk(str(image))
    patches = {}
    for _ in range(data.draw(st.integers(1, 3))):
        source, target = data.draw(st.tuples(st.sampled_from(places), st.sampled_from(places)))
        patches[target[0]] = disk.read(source[0], min(source[1], target[1]))
    disk.close()
    assert run_through(machine_on(PatchedDisk(image, patches)), CASES[case])


@pytest.mark.parametrize("case", CASES)
@settings(common, max_examples=rounds(15, otherwise=8))
@given(fraction=st.floats(0, 1))
def test_truncated(images: dict[str, tuple[Path, list[tuple[int, int]]]], case: str, fraction: float) -> None:
    image, places = images[case]
    end = max(offset + length for offset, length in places)
    size = max(int(end * 1.2 * fraction) // 512 * 512, 512)
    assert run_through(machine_on(PatchedDisk(image, {}, size)), CASES[case])


@pytest.mark.parametrize("case", ["jfs-plain", "reiserfs-36", "minix-v1-big"])
def test_sizes_of_any_width_take_no_more_memory(
    images: dict[str, tuple[Path, list[tuple[int, int]]]], case: str
) -> None:
    """Every word of every structure, one at a time, as large as a size can be."""
    image, places = images[case]
    worst = 0
    tracemalloc.start()
    for offset, length in places[:40]:
        for at in range(0, length, max(length // 8, 4)):
            tracemalloc.reset_peak()
            m = machine_on(PatchedDisk(image, {offset + at: (0x7FFFFFFF).to_bytes(4, "little")}))
            run_through(m, CASES[case])
            worst = max(worst, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert worst < MEMORY_MAX
