"""Sparse files that no folder lists."""

from __future__ import annotations

import errno
import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvgrub_sim import ImageError
from pvgrub_sim.media.formats.unlinked import STRIPE, UnlinkedFile


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    # It is looked up only once in a process.
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    """This process under a limit of the kernel's."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def written(file: UnlinkedFile, seed: int) -> bytearray:
    """Random writes of up to two stripes into five; what is to be read."""
    rng = random.Random(seed)
    size = 5 * STRIPE
    there = bytearray(size)
    for _ in range(12):
        at = rng.choice([rng.randrange(size), rng.randrange(5) * STRIPE - rng.randrange(2) * 3]) % size
        piece = rng.randbytes(rng.choice([1, 4096, 1 << 20, STRIPE, 2 * STRIPE + 5]))[: size - at]
        file.write(memoryview(piece) if rng.randrange(2) else piece, at)
        there[at : at + len(piece)] = piece
    return there


def assert_reads(file: UnlinkedFile, there: bytearray, seed: int) -> None:
    rng = random.Random(seed)
    assert file.read(0, len(there)) == there
    for _ in range(300):
        at = rng.choice([rng.randrange(len(there)), rng.randrange(5) * STRIPE - rng.randrange(3)]) % len(there)
        length = min(rng.choice([0, 1, 2, 512, 4096, STRIPE, 2 * STRIPE + 1]), len(there) - at)
        assert file.read(at, length) == there[at : at + length]


@pytest.mark.parametrize("seed", range(4))
def test_reads_what_was_written_and_zeros_elsewhere(seed: int) -> None:
    file = UnlinkedFile("image")
    try:
        assert_reads(file, written(file, seed), seed)
    finally:
        file.close()


def test_no_folder_lists_it_and_closing_releases_it(folder: Path) -> None:
    before = open_files()
    file = UnlinkedFile("image")
    written(file, 1)
    assert open_files() == before + 2
    assert list(folder.iterdir()) == []
    file.close()
    assert open_files() == before
    file.close()
    for offset in (0, STRIPE):
        with pytest.raises(ImageError, match="cannot be read"):
            file.read(offset, 1)


def test_one_that_nobody_closes_is_released() -> None:
    before = open_files()
    file = UnlinkedFile("image")
    written(file, 2)
    del file
    assert open_files() == before


def test_a_short_one_is_a_single_file() -> None:
    before = open_files()
    file = UnlinkedFile("image")
    file.write(b"x" * STRIPE, 0)
    assert file.read(STRIPE - 1, 2) == b"x\0"
    assert open_files() == before + 1
    file.close()


def test_where_no_second_file_is_to_be_had_the_first_holds_all() -> None:
    file = UnlinkedFile("image")
    before = open_files()
    with limited(resource.RLIMIT_NOFILE, 3):
        there = written(file, 3)
    assert open_files() == before
    assert_reads(file, there, 3)
    file.close()


def test_where_no_thread_is_to_be_had_both_are_closed_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_files()
    file = UnlinkedFile("image")
    written(file, 4)

    def none(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", none)
    file.close()
    assert open_files() == before


def test_what_cannot_be_written_is_an_error_that_says_where(folder: Path) -> None:
    file = UnlinkedFile("image")
    with limited(resource.RLIMIT_FSIZE, 1 << 20), pytest.raises(ImageError) as caught:
        file.write(bytes(2 << 20), 4096)
    assert (
        str(caught.value)
        == f"image at offset 4096: cannot be unpacked into {folder}: {os.strerror(errno.EFBIG).lower()}"
    )
    file.close()


def test_where_no_file_is_to_be_had_that_is_an_error() -> None:
    before = open_files()
    with limited(resource.RLIMIT_NOFILE, 3), pytest.raises(ImageError, match="no temporary file can be made"):
        UnlinkedFile("image")
    assert open_files() == before
