"""GRUB's gunzip on block lists and on files: what it takes, what it refuses, and what it makes of damage."""

from __future__ import annotations

import gzip
import random
import struct
import zlib

import pytest

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.file.gunzip_stream import WSIZE
from pvgrub_sim.grub.file.open import grub_open
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.machine_factory import error_of, machine_on, open_file, read_file

SOURCE = random.Random(3)
WORDS = [b"boot ", b"kernel ", b"initrd\n", bytes(40), SOURCE.randbytes(9)]
TEXT = b"".join(SOURCE.choice(WORDS) for _ in range(40_000))


def raw(data: bytes, level: int = 6) -> bytes:
    """The data deflated, without any frame."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def frame(deflated: bytes, size: int, head: bytes = b"\x1f\x8b\x08\x00" + bytes(6)) -> bytes:
    """A gzip file around deflated data, with a CRC of zero and the length that is asked for."""
    return head + deflated + bytes(4) + struct.pack("<I", size & 0xFFFFFFFF)


def file_on(content: bytes) -> tuple[Machine, bytes]:
    """A machine whose disk holds the content from sector 64 on, and the block list that names it to the byte."""
    m = machine_on(bytes(64 * 512) + content + bytes(-len(content) % 512 + 512))
    return m, b"(hd0)64+%d,%d" % ((len(content) + 511) // 512, len(content))


def unpack(content: bytes) -> bytes:
    """What reading the whole of a file of this content gives."""
    return read_file(*file_on(content))


def error(content: bytes) -> int:
    """The error that reading it ends with."""
    return error_of(*file_on(content))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_unpacks_what_gzip_packed(level: int) -> None:
    assert unpack(gzip.compress(TEXT, level)) == TEXT


def test_a_file_that_is_not_gzip_is_left_alone() -> None:
    for content in (b"\x1f\x8d\x08", b"plain text, longer than ten bytes", b"\x1f\x8c" + bytes(30), b""):
        m, name = file_on(content.ljust(12, b"."))
        assert read_file(m, name) == content.ljust(12, b".")
        assert m.compressed_file is None


def test_a_file_shorter_than_the_header_is_left_alone() -> None:
    assert unpack(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00") == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00"


def test_no_decompression_hands_over_the_packed_bytes() -> None:
    packed = gzip.compress(TEXT)
    m, name = file_on(packed)
    m.no_decompression = True
    assert read_file(m, name) == packed


def test_quirk_the_magic_1f_9e_is_taken_as_well() -> None:
    assert unpack(b"\x1f\x9e" + gzip.compress(TEXT)[2:]) == TEXT


def test_header_fields_are_skipped() -> None:
    extra = struct.pack("<H", 700) + bytes([1]) * 700
    head = b"\x1f\x8b\x08\x1c" + bytes(6) + extra + b"name" * 300 + b"\0" + b"comment\0"
    assert unpack(frame(raw(TEXT), len(TEXT), head)) == TEXT


@pytest.mark.parametrize("flag", [0x02, 0x20, 0x40, 0x80])
def test_quirk_a_header_crc_and_unknown_flags_are_error_4(flag: int) -> None:
    assert error(frame(raw(TEXT), len(TEXT), b"\x1f\x8b\x08" + bytes([flag]) + bytes(6))) == 4


def test_another_method_than_deflate_is_error_4() -> None:
    assert error(b"\x1f\x8b\x07" + gzip.compress(TEXT)[3:]) == 4


def test_a_header_that_the_file_ends_in_is_error_4() -> None:
    assert error(b"\x1f\x8b\x08\x08" + bytes(6) + b"no end of this name") == 4
    assert error(b"\x1f\x8b\x08\x04" + bytes(6) + b"\xff\xff" + bytes(100)) == 4


def test_quirk_the_crc_is_not_looked_at() -> None:
    assert unpack(frame(raw(TEXT), len(TEXT))) == TEXT


def test_quirk_the_last_four_bytes_are_the_length() -> None:
    assert unpack(frame(raw(TEXT), 1000)) == TEXT[:1000]
    assert unpack(gzip.compress(TEXT) + bytes(512)) == b""
    assert unpack(frame(raw(TEXT), 1 << 31)) == b"", "a negative length"


def test_quirk_two_members_give_the_first_with_the_length_of_the_last() -> None:
    assert unpack(gzip.compress(TEXT) + gzip.compress(b"second")) == TEXT[:6]


def test_quirk_only_one_layer_is_unpacked() -> None:
    inner = gzip.compress(TEXT)
    assert unpack(gzip.compress(inner)) == inner


def test_quirk_behind_the_datas_end_the_last_window_comes_again() -> None:
    size = 3 * WSIZE + 100
    got = unpack(frame(raw(TEXT[:size]), size + 2 * WSIZE))
    assert got[:size] == TEXT[:size]
    assert got[size : 4 * WSIZE] == TEXT[2 * WSIZE + 100 : 3 * WSIZE]
    assert got[4 * WSIZE :] == got[3 * WSIZE :][:WSIZE] + got[3 * WSIZE : 3 * WSIZE + 100]


@pytest.mark.parametrize(
    "deflated",
    [b"\x07", b"\x01\x05\x00\x00\x00hello", b"\x05\xff\xff" + bytes(30)],
    ids=["block type 3", "stored length", "too many codes"],
)
def test_damaged_data_is_error_3(deflated: bytes) -> None:
    assert error(frame(deflated, 100)) == 3


def test_damage_behind_the_windows_that_are_wanted_does_no_harm() -> None:
    whole = zlib.compressobj(6, zlib.DEFLATED, -15)
    good = whole.compress(TEXT[: 2 * WSIZE]) + whole.flush(zlib.Z_FULL_FLUSH)
    assert unpack(frame(good + b"\x07", WSIZE + 5)) == TEXT[: WSIZE + 5]
    assert error(frame(good + b"\x07", 2 * WSIZE + 5)) == 3


def test_quirk_a_distance_before_the_start_reaches_into_the_file_before() -> None:
    # A fixed block: literal "A", a match of 3 bytes at distance 4, end of block.
    bits = "1" + "10" + f"{0x30 + 0x41:08b}" + "0000001" + "00011" + "0000000"
    code = int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")
    with pytest.raises(zlib.error, match="too far back"):
        zlib.decompressobj(-15).decompress(code)
    m, name = file_on(frame(code, 4))
    assert read_file(m, name) == b"A\0\0\0", "memory that nothing was in before"
    # The same memory with another file's last three bytes of a window in it.
    other = gzip.compress(TEXT[:WSIZE])
    m, name = file_on(frame(code, 4).ljust(512, b"\0") + other)
    assert read_file(m, b"(hd0)65+%d,%d" % ((len(other) + 511) // 512, len(other))) == TEXT[:WSIZE]
    assert read_file(m, b"(hd0)64+1,%d" % len(frame(code, 4))) == b"A" + TEXT[WSIZE - 3 : WSIZE]


def test_quirk_data_that_breaks_off_goes_on_with_the_old_buffer() -> None:
    m, name = file_on(frame(raw(TEXT)[:6000], len(TEXT)))
    open_file(m, name)
    assert m.filemax == len(TEXT)
    try:
        data = read_file(m, name)
    except GrubError as bad:
        assert bad.number == 3
    else:
        assert data[:10_000] == TEXT[:10_000]


def test_an_endless_row_of_empty_blocks_hangs() -> None:
    # 16 bytes of empty blocks (stored, stored, fixed and stored): behind the end the buffer comes again and again.
    stored = b"\x00\x00\x00\xff\xff"
    content = b"\x1f\x8b\x08\x00" + bytes(6) + (stored + stored + b"\x02" + stored) * 1024 + b"\x00\x00\x00"
    m, name = file_on(content)
    with pytest.raises(Stop) as stop:
        read_file(m, name)
    assert m.filemax == 255
    assert stop.value.outcome is Outcome.HANG


def test_seeks_forward_and_back() -> None:
    m, name = file_on(gzip.compress(TEXT))
    grub_open(m, name)
    for at in (0, 100_000, 99_990, 70_000, 3 * WSIZE, 3 * WSIZE - 1, 5, len(TEXT) - 3, WSIZE):
        m.filepos = at
        assert grub_read(m, 100) == TEXT[at : at + 100]
        assert m.filepos == min(at + 100, len(TEXT))


def test_a_read_error_in_the_packed_data_ends_it() -> None:
    packed = gzip.compress(TEXT)
    m = machine_on(bytes(64 * 512) + packed[: len(packed) // 1024 * 512])
    assert error_of(m, b"(hd0)64+%d,%d" % ((len(packed) + 511) // 512, len(packed))) in (3, 18, 24, 25)
