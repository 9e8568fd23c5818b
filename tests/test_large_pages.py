"""Memory in large pages: as good as any other, with and without them, and an end where there is none."""

from __future__ import annotations

import mmap
import sys

import pytest

from pvgrub_sim.large_pages import large_pages
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
