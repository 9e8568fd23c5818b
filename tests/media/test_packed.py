"""Many packed clusters at once: by threads, by one where none is to be had, and with the error of any of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from tests.media.containers import MIB, as_raw, convert, noise
from tests.media.web import serving
from tests.tools import run

PACKED = {"qcow2": ("qcow2", ()), "vmdk": ("vmdk", ("subformat=streamOptimized",))}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return convert(noise(tmp_path / "raw", 8 * MIB, "packed"), tmp_path / "disk", "qcow2", compress=True)


def test_without_a_thread_to_be_had(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    disk = open_disk(str(image))
    assert disk.read(0, disk.size) == image.with_name("raw").read_bytes()
    disk.close()


def test_with_more_threads_than_processors(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    expected = as_raw(image, "qcow2")
    disk = open_disk(str(image))
    for at in range(0, 3 * MIB, 70_001):
        assert disk.read(at, 4 * MIB) == expected[at : at + 4 * MIB]
    disk.close()


def test_a_cluster_that_does_not_unpack_fails_the_whole_read(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    raw = bytearray(image.read_bytes())
    table = int.from_bytes(raw[40:48], "big")
    second = int.from_bytes(raw[table : table + 8], "big") & 0x00FF_FFFF_FFFF_FE00
    entries = [int.from_bytes(raw[second + 8 * at : second + 8 * at + 8], "big") for at in range(128)]
    packed = [entry & (1 << 54) - 1 for entry in entries if entry >> 62 & 1]
    assert len(packed) > 16
    raw[packed[11] : packed[11] + 4] = b"\xff\xff\xff\xff"
    image.write_bytes(raw)
    disk = open_disk(str(image))
    with pytest.raises(ImageError, match="a compressed cluster does not unpack"):
        disk.read(0, disk.size)
    disk.close()


@pytest.fixture(params=PACKED)
def large(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image whose clusters several threads unpack, beside the raw one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    raw = noise(tmp_path / "raw", 32 * MIB, request.param)
    return convert(raw, tmp_path / "disk", *PACKED[request.param], compress=request.param == "qcow2")


def read_whole(name: str, raw: Path) -> None:
    disk = open_disk(name)
    assert disk.read(0, disk.size) == raw.read_bytes()
    disk.close()


def test_what_is_unpacked_on_the_way_is_read_by_one_thread_at_a_time(large: Path) -> None:
    run("zstd", "-q", "-1", large, "-o", large.with_name("disk.zst"))
    for _ in range(3):
        read_whole(str(large.with_name("disk.zst")), large.with_name("raw"))


def test_what_lies_far_away_is_read_by_one_thread_at_a_time(large: Path) -> None:
    with serving(large.parent) as server:
        read_whole(server.url("disk"), large.with_name("raw"))
