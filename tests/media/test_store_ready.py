"""What is unpacked is kept while its user does something else: the same bytes, the same errors for whoever asks."""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path

import pytest

from pvgrub_sim import Access
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import ForwardOnly, Layer, Unpacks, known_size
from pvgrub_sim.media.formats.ahead import Ahead
from pvgrub_sim.media.formats.spool import Spool
from tests.media.containers import MIB, noise
from tests.media.test_ahead import PACKERS, Numbered, packed
from tests.tools import run

PATIENCE = 30.0
"""Seconds after which a thread that unpacks 16 MiB is taken to hang."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("raw") / "raw", 16 * MIB, "ready")


def kept(disk: object, upto: int) -> int:
    """Let a disk keep what comes until it has so many bytes, or goes on no more; how many it has then."""
    assert isinstance(disk, Unpacks)
    assert isinstance(disk, ForwardOnly)
    end, still = time.monotonic() + PATIENCE, 0
    while disk.unpacked < upto and still < 300:
        assert time.monotonic() < end
        before = disk.unpacked
        disk.store_ready()
        still = 0 if disk.unpacked > before else still + 1
        time.sleep(0.01)
    return disk.unpacked


@pytest.mark.parametrize("packer", PACKERS)
def test_the_same_bytes(packer: str, raw: Path, tmp_path: Path) -> None:
    disk = open_disk(str(packed(raw, packer, tmp_path / "packed")))
    disk.read(0, 512)
    assert kept(disk, 16 * MIB) == 16 * MIB
    assert disk.read(0, 16 * MIB) == raw.read_bytes()
    assert disk.size == 16 * MIB
    disk.close()


def test_nothing_is_waited_for() -> None:
    class Slow(Numbered):
        def read(self) -> bytes:
            if self.given == 2:
                assert goes_on.wait(PATIENCE)
            return super().read()

    goes_on = threading.Event()
    disk = Spool("numbered", Ahead(Slow(4), "numbered"), Layer("numbers", "numbered", 0), Context(Access()))
    disk.store_ready()
    # Before the first read nothing is unpacked.
    assert disk.unpacked == 0
    assert disk.read(0, 1) == b"1"
    assert kept(disk, 4) == 2
    goes_on.set()
    assert disk.read(0, 4) == b"1234"
    disk.store_ready()
    assert disk.size == 4
    disk.close()
    disk.store_ready()


def test_no_more_than_a_bound_is_kept_that_nobody_asked_for(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.MOST_UNASKED", 5 * MIB)
    disk = open_disk(str(packed(raw, "gzip", tmp_path / "packed")))
    disk.read(0, 512)
    assert 5 * MIB <= kept(disk, 16 * MIB) <= 6 * MIB
    assert disk.read(15 * MIB, MIB) == raw.read_bytes()[15 * MIB :]
    disk.close()


@pytest.mark.parametrize("packer", PACKERS)
def test_damage_is_met_by_whoever_asks_for_those_bytes(packer: str, raw: Path, tmp_path: Path) -> None:
    image = packed(raw, packer, tmp_path / "packed")
    image.write_bytes(image.read_bytes()[: image.stat().st_size * 3 // 4])
    disk = open_disk(str(image))
    disk.read(0, 512)
    sound = kept(disk, 16 * MIB)
    assert sound < 13 * MIB
    assert disk.read(0, sound) == raw.read_bytes()[:sound]
    for _ in range(2):
        with pytest.raises(ImageError, match=f"at offset {image.stat().st_size}: ends in the middle of its {packer}"):
            disk.read(15 * MIB, 512)
    disk.close()


def test_a_limit_is_met_by_whoever_asks_for_more(raw: Path, tmp_path: Path) -> None:
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")), access=Access(spool_limit=3 * MIB))
    disk.read(0, 512)
    assert kept(disk, 16 * MIB) == 3 * MIB
    assert disk.read(0, 3 * MIB) == raw.read_bytes()[: 3 * MIB]
    for _ in range(2):
        with pytest.raises(ImageError, match=f"unpacks to more than {3 * MIB} bytes"):
            disk.read(3 * MIB, 1)
    disk.close()


def test_a_full_folder_is_met_by_whoever_asks(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")))
    disk.read(0, 512)
    write = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        if offset >= 4 * MIB:
            raise OSError(28, "No space left on device")
        return write(fd, data, offset)

    monkeypatch.setattr("os.pwrite", full)
    sound = kept(disk, 16 * MIB)
    assert 4 * MIB <= sound < 6 * MIB
    assert disk.read(0, sound) == raw.read_bytes()[:sound]
    for _ in range(2):
        with pytest.raises(ImageError, match="no space left on device; TMPDIR names another folder"):
            disk.read(sound, 1)
    disk.close()


@pytest.mark.parametrize("keeping", [False, True], ids=["asked-for", "kept-before"])
def test_more_than_was_announced_is_never_believed(keeping: bool) -> None:
    """The piece that has the last byte is followed by others, so that it is not to be trusted either."""
    stream = Ahead(Numbered(8), "numbered")
    disk = Spool("numbered", stream, Layer("numbers", "numbered", 0), Context(Access()), size=5)
    assert disk.read(0, 3) == b"123"
    if keeping:
        assert kept(disk, 8) == 4
    for _ in range(2):
        with pytest.raises(ImageError, match="unpacks to more than the 5 bytes that it is said to hold"):
            disk.read(4, 1)
    assert disk.read(0, 4) == b"1234"
    disk.close()


@pytest.mark.parametrize("keeping", [False, True], ids=["asked-for", "kept-before"])
def test_a_likely_size_that_lies_hides_nothing(keeping: bool, tmp_path: Path) -> None:
    """A partition that ends at 40 MiB, and a gzip file that says that this is all, while 56 MiB are in it."""
    told = 40 * MIB
    content = bytearray(noise(tmp_path / "disk", 56 * MIB, "lies").read_bytes())
    content[:512] = bytes(446) + struct.pack("<B3xB3xII", 0x80, 0x83, 63, told // 512 - 63) + bytes(48) + b"\x55\xaa"
    (tmp_path / "disk").write_bytes(content)
    image = packed(tmp_path / "disk", "gzip", tmp_path / "packed")
    image.write_bytes(image.read_bytes()[:-4] + struct.pack("<I", told))
    disk = open_disk(str(image))
    assert known_size(disk) == told
    if keeping:
        kept(disk, 56 * MIB)
    for at in (2 * MIB, told - 512, told):
        assert disk.read(at, 512) == content[at : at + 512]
    for _ in range(2):
        # The size that the file tells is one of its checksums.
        with pytest.raises(ImageError, match="is damaged"):
            _ = known_size(disk)
        with pytest.raises(ImageError, match="is damaged"):
            _ = disk.size
    disk.close()


@pytest.mark.parametrize("first", [1, 14], ids=["a-little", "much"])
def test_a_first_frame_of_zstd_that_tells_a_little_or_much(
    first: int, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it tells suffices where it is much; else all frames are looked at before anything is kept."""
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.MOST_UNASKED", 8 * MIB)
    content, image = raw.read_bytes(), tmp_path / "packed"
    for part in (content[: first * MIB], content[first * MIB :]):
        (tmp_path / "part").write_bytes(part)
        with image.open("ab") as file:
            file.write(run("zstd", "-q", "-c", tmp_path / "part"))
    disk = open_disk(str(image))
    looked = []
    monkeypatch.setattr("pvgrub_sim.media.formats.stream.zstd_size", lambda *_: looked.append(True) or 16 * MIB)
    assert 8 * MIB <= kept(disk, 16 * MIB) <= 10 * MIB
    assert bool(looked) == (first == 1)
    assert disk.size == 16 * MIB
    assert disk.read(0, 16 * MIB) == content
    disk.close()


def test_where_there_is_not_much_room_nothing_unasked_takes_some(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other images that are unpacked there may need it."""
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.MUCH_ROOM", 1 << 62)
    disk = open_disk(str(packed(raw, "gzip", tmp_path / "packed")))
    disk.read(0, 512)
    assert kept(disk, 16 * MIB) <= MIB
    assert disk.read(15 * MIB, MIB) == raw.read_bytes()[15 * MIB :]
    disk.close()


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is where the tests run."""
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.MUCH_ROOM", 0)
