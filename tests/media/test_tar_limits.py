"""tar archives of next to nothing, millions of times: an error soon, and none where an archive is merely large."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.formats import tar
from pvgrub_sim.media.formats.tar import TarReader
from tests.media.machines import ova_xml

MIB = 1 << 20


class Memory:
    name = "x.tar"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return self.content[offset : offset + length]

    def close(self) -> None:
        pass


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def member(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def sparse(pieces: int) -> bytes:
    """A member whose map has so many pieces, all of them empty."""
    info = tarfile.TarInfo("disk.img")
    info.pax_headers = {"GNU.sparse.size": "1024", "GNU.sparse.map": "0,0," * (pieces - 1) + "0,0"}
    return info.tobuf(tarfile.PAX_FORMAT)


def test_members_of_nothing_have_an_end() -> None:
    disk = Memory(header("a", 0) * (tar.FEW_MEMBERS + 1000))
    with pytest.raises(ImageError, match=f"a tar archive of {tar.FEW_MEMBERS} members with next to nothing in them"):
        list(TarReader(disk))
    assert disk.reads <= tar.FEW_MEMBERS + 1


def test_members_of_something_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "FEW_MEMBERS", 5)
    archive = (member("chunk", bytes(128 << 10)) + header("keep", 0)) * 20
    assert len(list(TarReader(Memory(archive)))) == 40


def test_the_bytes_of_a_header_are_summed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sums: list[object] = []
    monkeypatch.setattr(tar, "sum", lambda of: sums.append(of) or sum(of), raising=False)
    assert len(list(TarReader(Memory(header("a", 0) * 10)))) == 10
    assert len(sums) == 10


def test_a_header_with_a_sum_of_signed_bytes_is_right() -> None:
    raw = bytearray(header("\xe9t\xe9", 0))
    signed = sum(byte - 256 * (byte > 127) for byte in raw[:148] + raw[156:]) + 256
    raw[148:156] = b"%06o\0 " % signed
    assert [one.name for one in TarReader(Memory(bytes(raw)))] == ["\xe9t\xe9".encode()]
    raw[148:156] = b"%06o\0 " % (signed + 1)
    with pytest.raises(ImageError, match="checksum is wrong"):
        list(TarReader(Memory(bytes(raw))))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_extended_headers_together_have_an_end(kind: bytes) -> None:
    one = member("h", bytes(MIB - 1), kind) + header("a", 0)
    assert len(list(TarReader(Memory(one * 16)))) == 16
    with pytest.raises(ImageError, match="more than 16 MiB of extended headers"):
        list(TarReader(Memory(one * 18)))


def test_pieces_of_all_sparse_members_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "MOST_PIECES", 1000)
    assert len(list(TarReader(Memory(sparse(300) * 3)))) == 3
    with pytest.raises(ImageError, match="sparse tar members of more than 1000 pieces"):
        list(TarReader(Memory(sparse(300) * 4)))


def write_chunks(path: Path, chunks: Sequence[bytes], size: int = 4 * MIB) -> Path:
    """An XVA of a disk with these chunks."""
    made = io.BytesIO()
    made.write(member("ova.xml", ova_xml([("0", "Ref:1", size)])))
    for number, data in enumerate(chunks):
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()
        made.write(member(f"Ref:1/{number:08d}", data) + member(f"Ref:1/{number:08d}.checksum", digest))
    path.write_bytes(made.getvalue() + bytes(1024))
    return path


def test_a_short_chunk_is_the_last_of_its_disk(tmp_path: Path) -> None:
    whole, short = b"w" * MIB, b"s" * 512
    disk = open_disk(str(write_chunks(tmp_path / "good.xva", [whole, whole, short], 2 * MIB + 512)))
    assert disk.read(0, disk.size) == whole + whole + short
    disk.close()
    disk = open_disk(str(write_chunks(tmp_path / "bad.xva", [short, whole, whole, whole])))
    for _ in range(2):
        # The second time as well: what could not be looked for is not missing.
        with pytest.raises(ImageError, match=r"chunk Ref:1/00000001 comes behind a shorter one"):
            disk.read(3 * MIB, 512)
    disk.close()


def test_chunks_of_nothing_are_not_zeros_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "FEW_MEMBERS", 100)
    disk = open_disk(str(write_chunks(tmp_path / "empty.xva", [b"w" * MIB, *[b""] * 1000], 1 << 40)))
    for _ in range(2):
        with pytest.raises(ImageError, match="next to nothing in them"):
            disk.read(3 * MIB, 512)
    disk.close()
