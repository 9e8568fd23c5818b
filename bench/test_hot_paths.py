"""The hot paths under pytest-benchmark: `pytest bench/test_hot_paths.py` gives its table, --benchmark-json its JSON.

Every payload format by every installed library on a made kernel, the menu parser, and a whole boot in this process.
The scripts beside this file hold the same work against command-line tools, on Debian's kernel.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.bench_menu import KINDS, measure
from bench.bench_payload import PACKERS, Work, libraries, made_kernel, ours, pack
from pvgrub_sim import boot
from tests.images import unpack_sparse
from tests.kernel_images import size_word

MIB = 1 << 20
IMAGES = Path(__file__).parents[1] / "fixtures" / "images"
CONTESTANTS = [(form, name, work) for form, name, work in libraries()]
OURS = [(form, "pvgrub-sim", ours(form)) for form in PACKERS]


@pytest.fixture(scope="module")
def kernel() -> bytes:
    return made_kernel(8 * MIB)


@pytest.mark.parametrize(
    ("form", "name", "work"), CONTESTANTS + OURS, ids=[f"{form}-{name}" for form, name, _ in CONTESTANTS + OURS]
)
def test_payload(benchmark: BenchmarkFixture, kernel: bytes, form: str, name: str, work: Work) -> None:
    payload = pack(form, "made kernel, 8 MiB", kernel)
    if name == "pvgrub-sim" and form != "gzip":
        payload += size_word(kernel)
    benchmark.group = form
    assert benchmark(work, payload) == len(kernel)


@pytest.mark.parametrize("kind", KINDS)
def test_menu(benchmark: BenchmarkFixture, kind: str) -> None:
    benchmark.group = "menu.lst, 1 MiB"
    benchmark(measure, KINDS[kind], MIB, memory=False)


@pytest.mark.parametrize("name", ["boots", "demo", "mbr-logical"])
def test_boot(benchmark: BenchmarkFixture, tmp_path: Path, name: str) -> None:
    image = unpack_sparse(IMAGES / f"{name}.img.zst", tmp_path / "disk.img")
    benchmark.group = "boot, in this process"
    assert benchmark(boot, image).outcome == "boots"
