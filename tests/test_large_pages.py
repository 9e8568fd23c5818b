"""Memory in large pages: as good as any other, with and without them, and an end where there is none."""

from __future__ import annotations

import mmap
import platform
import sys

import pytest

from pvgrub_sim.large_pages import LARGE, MOST_EXPECTED, Growing, large_pages
from tests.tools import run


@pytest.mark.parametrize("size", [1, 4096, (2 << 20) + 1])
def test_it_is_zeros_that_can_be_written(size: int) -> None:
    memory = large_pages(size)
    assert memory[:] == bytes(size)
    memory[size - 1] = 255
    assert memory[size - 1 :] == b"\xff"


def test_a_system_without_large_pages_gives_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert large_pages(4096)[:] == bytes(4096)


def test_memory_that_is_not_there_is_a_memory_error() -> None:
    code = """
import resource
from pvgrub_sim.large_pages import large_pages
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    large_pages(4 << 30)
except MemoryError:
    print("none")
"""
    assert run(sys.executable, "-c", code) == b"none\n"


@pytest.mark.parametrize("expected", [-1, 0, 5 * LARGE, 1 << 62], ids=["negative", "nothing", "right", "a-lie"])
def test_what_grows_has_all_bytes_whatever_was_expected(expected: int) -> None:
    growing, parts = Growing(expected), [bytes([number]) * (number * 100_003) for number in range(1, 15)]
    for part in parts:
        growing.append(part)
    assert growing.content() == b"".join(parts)


def test_what_nothing_was_put_into_is_empty() -> None:
    assert bytes(Growing(10).content()) == b""


def test_a_lie_about_its_size_sets_little_aside() -> None:
    growing = Growing(1 << 62)
    growing.append(b"x")
    memory = growing.content().obj
    assert isinstance(memory, mmap.mmap)
    assert len(memory) == MOST_EXPECTED


def test_where_memory_cannot_be_enlarged_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fixed(mmap.mmap):
        def resize(self, newsize: int) -> None:
            raise SystemError("mmap: resizing not available--no mremap()")

    monkeypatch.setattr("pvgrub_sim.large_pages.mmap", Fixed)
    growing = Growing(0)
    for number in range(9):
        growing.append(bytes([number]) * 700_001)
    assert growing.content() == b"".join(bytes([number]) * 700_001 for number in range(9))


def test_memory_to_grow_into_that_is_not_there_is_a_memory_error() -> None:
    code = """
import resource
from pvgrub_sim.large_pages import Growing
growing = Growing(0)
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
part = bytes(8 << 20)
try:
    for _ in range(64):
        growing.append(part)
except MemoryError:
    print("none")
"""
    assert run(sys.executable, "-c", code) == b"none\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give back memory by other rules")
def test_memory_that_was_freed_is_used_again() -> None:
    code = """
import resource, sys
from pvgrub_sim.large_pages import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF)
for _ in range(50):
    one, two = b"1" * (4 << 20), b"2" * (4 << 20)
    del one, two
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_minflt - before.ru_minflt, after.ru_maxrss)
"""
    # Of a few processes: where chance lays a mapping behind the heap, that cannot grow, and glibc does as usual.
    (faults, most), (usual_faults, usual_most) = (
        min(tuple(map(int, run(sys.executable, "-c", code, way).split())) for _ in range(3))
        for way in ("keep", "usual")
    )
    assert faults < usual_faults / 4
    assert most < usual_most + 4096, "kilobytes: nothing of the buffer that is freed was ever there"
