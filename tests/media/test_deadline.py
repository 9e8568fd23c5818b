"""The time that boot() is given holds for opening an image as well, whatever lies between it and its bytes."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import random
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import boot, boot_isolated, isolated
from pvgrub_sim.budget import Budget, GivenUp
from pvgrub_sim.cli import main
from pvgrub_sim.errors import IsolationError
from pvgrub_sim.media import deadline, open_disk
from pvgrub_sim.media.formats.spool import Spool
from pvgrub_sim.media.formats.tar import TarReader
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.model import Outcome

MIB = 1 << 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second passes with each look at the clock."""
    seconds = itertools.count()
    monkeypatch.setattr("pvgrub_sim.budget.time.monotonic", lambda: float(next(seconds)))
    return


def archive(path: Path, members: int) -> Path:
    """A machine whose disk lies behind so many members."""
    ovf = b'<Envelope><References><File id="f" href="d.img"/></References><DiskSection><Disk diskId="d" fileRef="f"/>'
    ovf += b"</DiskSection><VirtualSystem/></Envelope>"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as made:
        info = tarfile.TarInfo("m.ovf")
        info.size = len(ovf)
        made.addfile(info, io.BytesIO(ovf))
        for _ in range(members):
            made.addfile(tarfile.TarInfo("a"))
    return path


@pytest.mark.usefixtures("clock")
def test_members_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[None] = []
    follow = TarReader._next
    monkeypatch.setattr(TarReader, "_next", lambda reader: seen.append(None) or follow(reader))
    verdict = boot(archive(tmp_path / "m.ova", 5000), timeout=20)
    assert verdict.outcome is Outcome.TIMEOUT and verdict.image == str(tmp_path / "m.ova")
    assert verdict.reason == "no answer within 20 seconds: the image was still being opened"
    assert len(seen) < 30
    assert deadline._budget.get() is None


@pytest.mark.usefixtures("clock")
def test_what_is_unpacked_to_know_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is called a VHD, which has its footer there."""
    seen: list[None] = []
    unpack = Spool._unpack_piece
    monkeypatch.setattr(Spool, "_unpack_piece", lambda spool, stream: seen.append(None) or unpack(spool, stream))
    (tmp_path / "d.vhd.gz").write_bytes(gzip.compress(bytes(200 * MIB), 1))
    verdict = boot(tmp_path / "d.vhd.gz", timeout=20, pvgrub="xen-4.17", arch="i386")
    assert verdict.outcome is Outcome.TIMEOUT and verdict.reason.endswith("still being opened")
    assert (verdict.profile.name, verdict.profile.arch) == ("xen-4.17", "i386")
    assert len(seen) < 30


def test_blocks_from_far_away() -> None:
    fetched: list[int] = []

    def fetch(first: int, count: int) -> list[bytes]:
        fetched.append(first)
        return [bytes(512)] * count

    disk = BlockDisk("far", MIB, 512, fetch, ())
    assert disk.read(0, 512) == bytes(512)
    end = deadline.keep_to(Budget(seconds=-1))
    try:
        with pytest.raises(GivenUp, match="no answer within"):
            disk.read(MIB // 2, 512)
    finally:
        end()
    assert len(fetched) == 1
    assert disk.read(MIB // 2, 512) == bytes(512)


def test_bytes_that_were_not_unpacked_in_time_can_be_had_later(tmp_path: Path) -> None:
    (tmp_path / "d.img.gz").write_bytes(gzip.compress(random.Random(1).randbytes(8 * MIB), 1))
    disk = open_disk(str(tmp_path / "d.img.gz"))
    end = deadline.keep_to(Budget(seconds=-1))
    try:
        with pytest.raises(GivenUp):
            disk.read(8 * MIB - 5, 5)
    finally:
        end()
    assert disk.read(8 * MIB - 5, 5) == random.Random(1).randbytes(8 * MIB)[-5:]
    disk.close()


@pytest.mark.parametrize("words", [[], ["--isolate"]], ids=["here", "isolated"])
def test_the_command_says_that_the_time_was_over(
    words: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    image = archive(tmp_path / "m.ova", 40_000)
    assert main(["boot", "--timeout", "0.000001", "--format", "json", *words, str(image)]) == 1
    told = json.loads(capfdbinary.readouterr().out)
    assert told["outcome"] == "timeout" and told["image"] == str(image)


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "AFTER_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/d.img"
        with pytest.raises(IsolationError, match=r"the isolated run gave no answer within 1\.5 seconds"):
            boot_isolated(address, timeout=0.5)
