"""Containers that are made to take all memory or all time: an error in one line, soon."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.hostile.limits import limited

DISK = bytes(1 << 20)
OVF = (
    '<Envelope><References><File id="f" href="d.img"{file}/></References><DiskSection><Disk diskId="d" fileRef="f"/>'
    "</DiskSection><VirtualSystem>{inside}</VirtualSystem></Envelope>"
)
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "haha">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    + "]><Envelope>&a9;</Envelope>"
)


def machine(description: str, name: str = "a.ovf") -> bytes:
    """A machine in a tar archive, whose description is what it is."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member, data in ((name, description.encode()), ("d.img", DISK)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def sparse(body: bytes) -> bytes:
    """A member in GNU's sparse format 1.0 that begins with some map."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("disk.img")
        info.size = len(body)
        names = {"major": "1", "minor": "0", "realsize": "1000000000000"}
        info.pax_headers = {f"GNU.sparse.{name}": value for name, value in names.items()}
        archive.addfile(info, io.BytesIO(body))
    return made.getvalue()


def many(members: int, headers: int = 0) -> bytes:
    """An archive of many empty members, each behind so many extended headers."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(members):
            for _ in range(headers):
                info = tarfile.TarInfo("g")
                info.type = tarfile.XGLTYPE
                archive.addfile(info)
            archive.addfile(tarfile.TarInfo(f"m{number}"))
    return zstandard.compress(made.getvalue())


def far_away_in_a_zip(place: int) -> bytes:
    """A directory whose only member begins there."""
    name = b"d.img"
    extra = struct.pack("<HHQQQ", 1, 24, 1 << 20, 1 << 20, place)
    wide = 0xFFFFFFFF
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, wide, wide, 5, len(extra), 0, 0, 0, 0, wide)
    directory = entry + name + extra
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, 0, 0, 5, 0) + name
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local), 0)
    return local + directory + end


CASES: dict[str, tuple[Callable[[], bytes], bytes]] = {
    "laughs.ova": (lambda: machine(LAUGHS), b"document type"),
    "elements.ova": (lambda: machine(OVF.format(file="", inside="<a/>" * 2_000_000)), b"elements"),
    "chunk.ova": (
        lambda: machine(OVF.format(file=f' chunkSize="{"1" * 5000}" size="5"', inside="")), b"chunks of no size",
    ),
    "nothing.ova": (
        lambda: machine(OVF.format(file=' chunkSize="5" size="0"', inside="")), b"nothing.ova: the OVF tells 0 chunks",
    ),
    "members.tar.zst": (lambda: many(60_000), b"without a disk image in it (20000 members)"),
    "headers.tar.zst": (lambda: many(2000, headers=63), b"too many extended tar headers"),
    "far.zip": (lambda: far_away_in_a_zip((1 << 64) - 1), b"its local header"),
    "farther.zip": (lambda: far_away_in_a_zip(1 << 62), b"its local header"),
    "elements.xva": (lambda: machine("<value>" + "<value/>" * 1_000_000 + "</value>", "ova.xml"), b"elements"),
    "outside.xva": (lambda: machine('<!DOCTYPE v SYSTEM "file:///etc/passwd"><value/>', "ova.xml"), b"document type"),
    "line.tar": (lambda: sparse(b"1" * (16 << 20)), b"bad number"),
    "empty.img.gz": (lambda: gzip.compress(b"") * 400_000, b"next to nothing"),
    "short.img.gz": (lambda: gzip.compress(b"x") * 400_000, b"next to nothing"),
    "empty.img.bz2": (lambda: bz2.compress(b"") * 600_000, b"next to nothing"),
    "empty.img.xz": (lambda: lzma.compress(b"") * 300_000, b"next to nothing"),
    "empty.img.zst": (lambda: bytes.fromhex("28b52ffd2000") + bytes(12_000_000) + b"\1\0\0", b"next to nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_endless_is_one_line(name: str, tmp_path: Path) -> None:
    make, word = CASES[name]
    image = tmp_path / name
    image.write_bytes(make())
    done = limited(["boot", str(image)], seconds=15, mib=300)
    assert done.status == 2 and word in done.err and done.err.count(b"\n") <= 1, done.err
