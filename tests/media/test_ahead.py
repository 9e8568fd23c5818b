"""Compressed images read ahead of who asks: the same bytes, the same errors at the same places, and an end in time."""

from __future__ import annotations

import gc
import os
import sys
import threading
import warnings
from pathlib import Path

import pytest

from pvgrub_sim import Access
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.disk import Disk, ForwardOnly
from pvgrub_sim.media.formats.ahead import AT_FIRST, SLOT, SLOTS_AT_FIRST, SLOTS_LATER, Ahead
from tests.media.containers import MIB, noise
from tests.media.web import serving
from tests.tools import run

PACKERS = ("gzip", "xz", "zstd", "bzip2", "lz4")


class Numbered:
    """A stream of pieces that say which one they are; `failing` is the number of the one that is an error."""

    def __init__(self, count: int, failing: int = -1) -> None:
        self.count = count
        self.failing = failing
        self.given = 0
        self.readers: set[int] = set()
        self.enough = threading.Event()
        self.closed = False

    def read(self) -> bytes:
        assert not self.closed, "what is closed is read"
        self.readers.add(threading.get_ident())
        self.given += 1
        if self.given >= AT_FIRST:
            self.enough.set()
        if self.given == self.failing:
            raise ImageError("numbered", "is damaged", self.given)
        return b"" if self.given > self.count else b"%d" % self.given

    def close(self) -> None:
        self.closed = True


class Filling(Numbered):
    """The same in memory that is there already, which is full of the piece's number."""

    def __init__(self, count: int, failing: int = -1) -> None:
        super().__init__(count, failing)
        self.memory: list[int] = []

    def readinto(self, buffer: memoryview) -> int:
        number = self.read()
        if self.given >= SLOTS_AT_FIRST:
            self.enough.set()
        if not number:
            return 0
        self.memory.append(id(buffer.obj))
        assert len(buffer) == SLOT or self.given == 1
        buffer[:8] = number.rjust(8, b"0")
        return 8


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("raw") / "raw", 16 * MIB, "ahead")


def packed(raw: Path, packer: str, made: Path) -> Path:
    made.write_bytes(run(packer, "-1", "-c", raw))
    return made


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def test_pieces_come_in_their_order_from_another_thread() -> None:
    stream = Numbered(3 * AT_FIRST)
    ahead = Ahead(stream, "numbered")
    assert [ahead.read() for _ in range(stream.count)] == [b"%d" % number for number in range(1, stream.count + 1)]
    assert ahead.read() == ahead.read() == b""
    ahead.close()
    assert stream.closed
    assert threading.get_ident() not in stream.readers


def test_no_more_than_so_many_pieces_ahead() -> None:
    stream = Numbered(10 * AT_FIRST)
    ahead = Ahead(stream, "numbered")
    ahead.read()
    assert stream.enough.wait(30)
    ahead.close()
    # The one that was taken made no room: there is less ahead later on.
    assert stream.given == AT_FIRST


def test_memory_is_used_again_and_not_before_its_piece_has_been_used() -> None:
    stream = Filling(4 * SLOTS_AT_FIRST)
    ahead = Ahead(stream, "filling")
    first = ahead.read()
    assert stream.enough.wait(30)
    assert bytes(first) == b"00000001"
    for number in range(2, stream.count + 1):
        piece = ahead.read()
        assert bytes(piece) == b"%08d" % number
    assert len(ahead.read()) == len(ahead.read()) == 0
    ahead.close()
    assert len(set(stream.memory[2 * SLOTS_AT_FIRST :])) <= 2 * SLOTS_LATER


def test_no_more_memory_is_filled_than_there_is_room_for() -> None:
    stream = Filling(10 * SLOTS_AT_FIRST)
    ahead = Ahead(stream, "filling")
    ahead.read()
    assert stream.enough.wait(30)
    ahead.close()
    assert stream.given == SLOTS_AT_FIRST


def test_an_error_while_memory_is_filled_is_raised_at_its_place() -> None:
    ahead = Ahead(Filling(9, failing=3), "filling")
    assert [bytes(ahead.read()) for _ in range(2)] == [b"00000001", b"00000002"]
    with pytest.raises(ImageError, match=r"^numbered at offset 3: is damaged$"):
        ahead.read()
    ahead.close()


@pytest.mark.parametrize("failing", [1, 2, AT_FIRST + 5])
def test_an_error_is_raised_where_it_would_have_been_met(failing: int) -> None:
    stream = Numbered(2 * AT_FIRST, failing)
    ahead = Ahead(stream, "numbered")
    for number in range(1, failing):
        assert ahead.read() == b"%d" % number
    with pytest.raises(ImageError, match=f"^numbered at offset {failing}: is damaged$"):
        ahead.read()
    with pytest.raises(ImageError, match="cannot be unpacked any further"):
        ahead.read()
    ahead.close()
    assert stream.closed


def test_what_is_no_error_of_an_image_comes_through_as_well() -> None:
    class Starved(Numbered):
        def read(self) -> bytes:
            super().read()
            raise MemoryError

    ahead = Ahead(Starved(1), "numbered")
    with pytest.raises(MemoryError):
        ahead.read()
    ahead.close()


@pytest.mark.parametrize("packer", PACKERS)
def test_no_thread_is_left_when_a_disk_is_closed(packer: str, raw: Path, tmp_path: Path) -> None:
    before = threads()
    disk = open_disk(str(packed(raw, packer, tmp_path / "packed")))
    disk.read(MIB, 512)
    disk.close()
    assert threads() == before


def test_no_thread_is_left_when_a_disk_is_forgotten(raw: Path, tmp_path: Path) -> None:
    before = threads()
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")))
    disk.read(MIB, 512)
    del disk
    gc.collect()
    for thread in threads() - before:
        thread.join(30)
    assert threads() == before


def test_a_program_that_closes_nothing_ends(raw: Path, tmp_path: Path) -> None:
    image = packed(raw, "xz", tmp_path / "packed")
    code = (
        "import sys; from pvgrub_sim.media import open_disk; disk = open_disk(sys.argv[1]); print(len(disk.read(0, 9)))"
    )
    assert run(sys.executable, "-c", code, image) == b"9\n"


@pytest.mark.parametrize("packer", PACKERS)
def test_damage_that_is_only_read_ahead_is_not_met(packer: str, raw: Path, tmp_path: Path) -> None:
    image = packed(raw, packer, tmp_path / "packed")
    image.write_bytes(image.read_bytes()[: image.stat().st_size * 3 // 4])
    disk = open_disk(str(image))
    assert disk.read(0, 4 * MIB) == raw.read_bytes()[: 4 * MIB]
    errors = []
    for offset in (15 * MIB, 15 * MIB, 14 * MIB):
        with pytest.raises(ImageError) as caught:
            disk.read(offset, 512)
        errors.append(str(caught.value))
    assert set(errors) == {f"{image} at offset {image.stat().st_size}: ends in the middle of its {packer} stream"}
    assert isinstance(disk, ForwardOnly)
    # What came before is still there, to the last byte.
    assert disk.read(0, disk.unpacked) == raw.read_bytes()[: disk.unpacked]
    assert disk.unpacked >= 8 * MIB
    disk.close()


def test_a_limit_that_is_only_reached_ahead_is_not_met(raw: Path, tmp_path: Path) -> None:
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")), access=Access(spool_limit=3 * MIB))
    assert disk.read(0, 3 * MIB) == raw.read_bytes()[: 3 * MIB]
    with pytest.raises(ImageError, match=f"at offset {3 * MIB}: unpacks to more than {3 * MIB} bytes"):
        disk.read(3 * MIB, 512)
    disk.close()


@pytest.mark.parametrize("packer", PACKERS)
def test_a_limit_holds_to_the_byte(packer: str, raw: Path, tmp_path: Path) -> None:
    limit = 5 * MIB + 1000
    disk = open_disk(str(packed(raw, packer, tmp_path / "packed")), access=Access(spool_limit=limit))
    assert disk.read(0, limit) == raw.read_bytes()[:limit]
    for _ in range(2):
        with pytest.raises(ImageError, match=f"at offset {limit}: unpacks to more than {limit} bytes"):
            disk.read(limit, 1)
    assert disk.read(limit - 9, 9) == raw.read_bytes()[limit - 9 : limit]
    disk.close()


def test_after_a_piece_that_could_not_be_kept_nothing_is_believed(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows would lie in the wrong place."""
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")))
    disk.read(0, 512)
    write = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    for _ in range(2):
        with pytest.raises(ImageError, match="no space left on device; TMPDIR names another folder"):
            disk.read(4 * MIB, 512)
        # There is room again; the piece is lost all the same.
        monkeypatch.setattr("os.pwrite", write)
    disk.close()


def test_an_interruption_loses_no_bytes_unnoticed(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = open_disk(str(packed(raw, "zstd", tmp_path / "packed")))
    disk.read(0, 512)

    def interrupted(fd: int, data: bytes, offset: int) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            disk.read(4 * MIB, 512)
    with pytest.raises(ImageError, match="interrupted"):
        disk.read(4 * MIB, 512)
    disk.close()


def in_a_child(disk: Disk, offset: int) -> bytes:
    """What a process that is forked now reads, or the error that it meets."""
    out, into = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            said = disk.read(offset, 512)
        except ImageError as error:
            said = str(error).encode()
        os.write(into, said)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def test_a_forked_process_reads_what_there_is_and_does_not_wait(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pvgrub_sim.media.formats.ahead.AT_FIRST", 3)
    monkeypatch.setattr("pvgrub_sim.media.formats.ahead.LATER", 2)
    content = raw.read_bytes()
    disk = open_disk(str(packed(raw, "gzip", tmp_path / "packed")))
    disk.read(2 * MIB, 512)
    assert in_a_child(disk, MIB) == content[MIB : MIB + 512]
    assert b"cannot be unpacked any further, in this process" in in_a_child(disk, len(content) - 512)
    assert disk.read(len(content) - 512, 512) == content[-512:]
    disk.close()


def test_what_lies_far_away_is_not_read_ahead(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_ahead: Ahead) -> None:
        raise AssertionError("something is fetched that nobody has asked for")

    monkeypatch.setattr(Ahead, "_start", no)
    packed(raw, "xz", tmp_path / "packed")
    with serving(tmp_path) as server:
        disk = open_disk(server.url("packed"))
        assert disk.read(MIB, 512) == raw.read_bytes()[MIB : MIB + 512]
        disk.close()
