"""What the log of a VHDX says is done, whatever it says: sectors and zeros over each other, and many of them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.formats.vhdx_log import Replayed, _Entry

MIB = 1 << 20
SECTOR = 4096
SEQUENCE = 7


class Memory:
    name = "x.vhdx"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]

    def close(self) -> None:
        pass


class Searched(list[tuple[int, int]]):
    """A list in which is looked at certain places only."""

    looks = 0

    def __getitem__(self, key: object) -> tuple[int, int]:  # type: ignore[override]  # no slices
        assert isinstance(key, int)
        self.looks += 1
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        raise AssertionError("all of it is gone through")


def zero(offset: int, length: int) -> tuple[bytes, bytes]:
    return struct.pack("<4s4xQQQ", b"zero", length, offset, SEQUENCE), b""


def data(offset: int, content: bytes) -> tuple[bytes, bytes]:
    sector = b"data" + bytes(4) + content[8:4092] + struct.pack("<I", SEQUENCE)
    return struct.pack("<4s4s8sQQ", b"desc", content[4092:], content[:8], offset, SEQUENCE), sector


def replay(disk: Memory, steps: list[tuple[bytes, bytes]], last: int = 0) -> Replayed:
    told, sectors = (b"".join(part) for part in zip(*steps, strict=True))
    replayed = Replayed(disk, max(last, disk.size))
    replayed.apply(_Entry(0, 0, SEQUENCE, 0, 0, last, told, sectors))
    replayed.settle()
    return replayed


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_later_is_what_is_read(seed: int) -> None:
    source = random.Random(seed)
    content = source.randbytes(64 * SECTOR)
    wanted = bytearray(content)
    steps = []
    for _ in range(source.choice((1, 5, 30, 80))):
        at = source.randrange(64) * SECTOR
        if source.random() < 0.5:
            sector = source.randbytes(SECTOR)
            steps.append(data(at, sector))
            wanted[at : at + SECTOR] = sector
        else:
            length = min(len(content) - at, source.randrange(6) * SECTOR)
            steps.append(zero(at, length))
            wanted[at : at + length] = bytes(length)
    disk = replay(Memory(content), steps)
    assert disk.read(0, disk.size) == wanted
    for _ in range(50):
        at = source.randrange(len(content))
        length = source.randrange(min(3 * SECTOR, len(content) - at) + 1)
        assert disk.read(at, length) == wanted[at : at + length]


def test_a_read_does_not_go_through_all_zeros() -> None:
    disk = replay(Memory(bytes(MIB)), [zero(2 * SECTOR * number, SECTOR) for number in range(20_000)], last=200 * MIB)
    disk._zeros = searched = Searched(disk._zeros)
    for number in range(100):
        assert disk.read(number * 512, 512) == bytes(512)
    assert searched.looks < 100 * 40


def test_zeros_beside_each_other_are_one_stretch() -> None:
    disk = replay(Memory(bytes(MIB)), [zero(SECTOR * number, SECTOR) for number in range(256)])
    assert disk._zeros == [(0, MIB)]
    assert list(disk._pieces(0, MIB)) == [(MIB, None, 0)]


@pytest.mark.parametrize(
    "step", [zero(MIB, SECTOR), zero(0, MIB + SECTOR), zero(1 << 62, SECTOR), zero(0, 512), data(MIB, bytes(SECTOR))]
)
def test_what_lies_outside_of_the_file_is_not_written(step: tuple[bytes, bytes]) -> None:
    with pytest.raises(ImageError, match="a descriptor of what lies outside of the file"):
        replay(Memory(bytes(MIB)), [step], last=MIB)
    if step != zero(0, 512) and step != zero(1 << 62, SECTOR):
        replay(Memory(bytes(MIB)), [step], last=2 * MIB)
