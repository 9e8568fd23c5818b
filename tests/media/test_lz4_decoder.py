"""lz4 frames unpacked block by block: the same bytes and the same errors, however much is given at once."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import ImageError
from pvgrub_sim.media.formats.decoders import PIECE, Input, lz4_stream
from pvgrub_sim.media.formats.lz4_decoder import Lz4Decoder
from pvgrub_sim.media.sources.file import RawDisk
from tests.media.containers import MIB, noise
from tests.rounds import rounds
from tests.tools import run

OPTIONS: tuple[list[str], ...] = (
    ["-B4"], ["-B5", "-BX"], ["-B6"], ["-B7"], ["-B7", "-BD"], ["-B7", "-BX", "-9"], ["-B6", "-BD", "-BX"],
    ["-B7", "--no-frame-crc"], ["-B6", "--content-size", "-BX", "--no-frame-crc"], ["-B4", "-BD"],
)  # fmt: skip
SKIPPED = struct.pack("<II", 0x184D2A5E, 5) + b"skip!"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, text and zeros: blocks of all kinds, some stored as they are."""
    return noise(tmp_path_factory.mktemp("raw") / "raw", 13 * MIB + 77, "lz4")


def packed(data: Path, *options: str) -> bytes:
    return run("lz4", "-q", "-c", *options, data)


def unpacked(content: bytes, most: int, chance: random.Random) -> bytes:
    """What a decoder gives that is given at most so many bytes at once, and not those that it wants."""
    decoder, at, parts = Lz4Decoder(), 0, []
    while not decoder.eof:
        given = b""
        if decoder.needs_input:
            given = content[at : at + chance.randint(1, most)]
            assert given, "the frame has ended"
        at += len(given)
        parts.append(decoder.decompress(given, PIECE))
        assert len(parts[-1]) <= 4 * MIB
    assert decoder.unused_data == content[at - len(decoder.unused_data) : at]
    return b"".join(parts)


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_any_amount_at_once_gives_the_same(options: list[str], data: Path) -> None:
    content = packed(data, *options) + b"behind it"
    chance = random.Random(repr(options))
    for most in (7, 4096, 300_000, 9 * MIB):
        # A few bytes at once for the beginning only: of all of it that would be a million calls.
        if most == 7:
            begin = packed(data, *options)[:2000]
            decoder = Lz4Decoder()
            for at in range(len(begin)):
                assert decoder.needs_input
                decoder.decompress(begin[at : at + 1], PIECE)
            assert not decoder.eof
        else:
            assert unpacked(content, most, chance) == data.read_bytes()


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_frames_behind_each_other_and_skipped_ones(options: list[str], data: Path, tmp_path: Path) -> None:
    packed_file = tmp_path / "image.lz4"
    one = packed(data, *options)
    small = tmp_path / "small"
    small.write_bytes(b"small")
    packed_file.write_bytes(SKIPPED + one + packed(small, *options) + SKIPPED + one + SKIPPED)
    stream = lz4_stream(Input(RawDisk(packed_file)))
    parts = list(iter(stream.read, b""))
    stream.close()
    # `lz4 -dc` of 1.9.4 stops behind some of these frames, each of which it unpacks when it stands alone.
    assert b"".join(parts) == data.read_bytes() + b"small" + data.read_bytes()
    assert max(map(len, parts)) <= PIECE


@pytest.mark.parametrize("options", [["-B4"], ["-B6", "-BD"], ["-B7", "-BX"]], ids=" ".join)
def test_what_lz4_refuses_is_refused(options: list[str], data: Path, tmp_path: Path) -> None:
    content = packed(data, *options)
    chance = random.Random(repr(options))
    image = tmp_path / "image.lz4"
    for number in range(rounds(60, otherwise=20)):
        broken = bytearray(content)
        # Headers of the frame and of its blocks are met as often as what is in them.
        for _ in range(chance.randint(1, 3)):
            where = chance.choice((chance.randrange(24), chance.randrange(len(broken))))
            broken[where] ^= 1 << chance.randrange(8)
        if number % 3 == 0:
            del broken[chance.randrange(len(broken)) :]
        image.write_bytes(broken)
        theirs = subprocess.run(["lz4", "-dcq", image], capture_output=True, check=False)
        stream = lz4_stream(Input(RawDisk(image)))
        parts: list[bytes] = []
        try:
            parts += (bytes(piece) for piece in iter(stream.read, b""))
            refused = False
        except ImageError:
            refused = True
        finally:
            stream.close()
        if not theirs.returncode and int.from_bytes(broken[:4], "little") == 0x184D2204:
            assert not refused
            assert b"".join(parts) == theirs.stdout
        else:
            assert refused


def test_a_length_that_no_block_has_is_not_read_at_once(tmp_path: Path) -> None:
    image = tmp_path / "image.lz4"
    head = packed_head(tmp_path)
    image.write_bytes(head + struct.pack("<I", 0x7FFFFFFF) + bytes(MIB))
    asked: list[int] = []

    class Watched(RawDisk):
        def read_upto(self, offset: int, length: int) -> bytes:
            asked.append(length)
            return super().read_upto(offset, length)

        def read(self, offset: int, length: int) -> bytes:
            asked.append(length)
            return super().read(offset, length)

    stream = lz4_stream(Input(Watched(image)))
    with pytest.raises(ImageError, match="is damaged"):
        stream.read()
    stream.close()
    assert asked
    assert max(asked) <= 4 * MIB


def packed_head(tmp_path: Path) -> bytes:
    """The header of a frame with blocks of 4 MiB."""
    (tmp_path / "one").write_bytes(b"one")
    return packed(tmp_path / "one", "-B7", "--no-frame-crc")[:7]


def test_large_blocks_are_read_one_by_one(data: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.lz4"
    image.write_bytes(packed(data, "-B7"))
    source = Input(RawDisk(image))
    stream = lz4_stream(source)
    stream.read()
    first = int.from_bytes(image.read_bytes()[7:11], "little")
    assert source.at == 7 + 4 + (first & 0x7FFFFFFF) + 4, "up to the length of the next block"
    stream.close()
