"""Any bytes behind a gzip header: an outcome, within the step budget and bounded memory."""

from __future__ import annotations

import random
import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.file.inflate import Inflater
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from tests.grub.machine_factory import machine_on, read_file
from tests.rounds import rounds

LIMIT = 300_000


class Bytes:
    """A source of compressed bytes for the exact decoder, zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def byte(self) -> int:
        return next(self._data, 0)


def packed(seed: int, length: int, level: int) -> tuple[bytes, bytes]:
    """Compressible data and what zlib makes of it."""
    source = random.Random(seed)
    words = [source.randbytes(source.randrange(1, 30)) for _ in range(40)]
    data = b"".join(source.choice(words) for _ in range(length // 15))[:length]
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, strategy=source.choice((0, 1, 2, 4)))
    return data, packer.compress(data) + packer.flush()


def ends(content: bytes) -> None:
    """Read a file of this content; anything but GRUB's own ends fails."""
    m = machine_on(bytes(64 * 512) + content + bytes(-len(content) % 512))
    try:
        data = read_file(m, b"(hd0)64+%d,%d" % ((len(content) + 511) // 512, len(content)))
    except GrubError as error:
        assert error.number == m.errnum
    except Stop as stop:
        assert stop.reason
    else:
        assert len(data) == max(m.filemax, 0)


@given(
    deflated=st.binary(min_size=1, max_size=3000),
    size=st.integers(0, LIMIT),
    flags=st.sampled_from((0, 0, 4, 8, 16, 28)),
)
@settings(max_examples=rounds(150, otherwise=30), deadline=None)
def test_any_bytes_end_in_an_outcome(deflated: bytes, size: int, flags: int) -> None:
    ends(b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + deflated + bytes(4) + struct.pack("<I", size))


@given(
    seed=st.integers(0, 50),
    length=st.integers(0, LIMIT),
    flips=st.lists(st.integers(0, 1 << 24), max_size=4),
    cut=st.integers(0, 1 << 24),
    size=st.integers(0, LIMIT),
)
@settings(max_examples=rounds(60, otherwise=8), deadline=None)
def test_damaged_data_ends_in_an_outcome(seed: int, length: int, flips: list[int], cut: int, size: int) -> None:
    deflated = bytearray(packed(seed, length, 6)[1])
    for flip in flips:
        deflated[flip // 8 % len(deflated)] ^= 1 << flip % 8
    if cut % 3 == 0:
        del deflated[cut % len(deflated) :]
    ends(b"\x1f\x8b\x08\0" + bytes(6) + bytes(deflated) + bytes(4) + struct.pack("<I", size))


@given(seed=st.integers(0, 200), length=st.integers(1, 120_000), level=st.sampled_from((0, 1, 6, 9)))
@settings(max_examples=rounds(40, otherwise=8), deadline=None)
def test_the_exact_decoder_unpacks_what_zlib_packs(seed: int, length: int, level: int) -> None:
    data, deflated = packed(seed, length, level)
    m: Machine = machine_on(bytes(512))
    inflater = Inflater(m, Bytes(deflated), bytearray(0x8000))
    got = bytearray()
    while len(got) < len(data):
        inflater.window()
        got += inflater.slide
    assert got[: len(data)] == data
    assert not m.errnum
