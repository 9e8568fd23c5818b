"""Partition tables of random and damaged entries: always an outcome, and soon."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.builtins.devices import geometry
from pvgrub_sim.grub.builtins.table import Flag
from pvgrub_sim.grub.disk.partitions import open_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import open_device
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.machine_factory import machine_on
from tests.rounds import rounds

SECTORS = 200
PLACES = (0, 10, 20, 30)
"""Sectors that may hold tables; extended entries mostly lead to one of them."""

TYPES = st.one_of(st.sampled_from([0, 0x05, 0x0F, 0x83, 0x85, 0xA5, 0xA9, 0x55, 0xEE]), st.integers(0, 255))
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 10, 20, 30, SECTORS, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]), st.integers(0, SECTORS)
)
ENTRY = st.builds(
    lambda flag, chs, kind, start, length: struct.pack("<B3sB3xII", flag, chs, kind, start, length),
    st.sampled_from([0, 0x80]),
    st.sampled_from([bytes(3), b"\xfe\xff\xff"]),
    TYPES,
    NUMBERS,
    NUMBERS,
)
TABLE = st.builds(
    lambda entries, signed: bytes(446) + b"".join(entries).ljust(64, b"\0") + (b"\x55\xaa" if signed else b"\0\0"),
    st.lists(ENTRY, max_size=4),
    st.integers(0, 9).map(bool),
)
LABEL = st.builds(
    lambda kind, count, entries: (struct.pack("<IH132xH8x", 0x82564557, kind, count) + b"".join(entries)).ljust(
        512, b"\0"
    )[:512],
    st.sampled_from([0, 4]),
    st.sampled_from([0, 1, 8, 22, 23, 0xFFFF]),
    st.lists(
        st.builds(lambda a, b, t: struct.pack("<III4B", a, b, 0, t, 0, 0, 0), NUMBERS, NUMBERS, TYPES), max_size=8
    ),
)
GPT = st.builds(
    lambda entries, count, size, at: [
        struct.pack("<8sIIII4Q16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, 9, 2, 9, bytes(16), at, count, size, 0),
        b"".join(struct.pack("<QQ16sQQ80x", *halves, bytes(16), *ends) for halves, ends in entries),
    ],
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, 2), st.integers(0, 2)),
            st.tuples(NUMBERS, st.one_of(NUMBERS, st.just((1 << 64) - 1))),
        ),
        max_size=8,
    ),
    st.sampled_from([0, 1, 4, 128, 0x7FFFFFFF, 0xFFFFFFFF]),
    st.sampled_from([0, 1, 40, 128, 256, 4096, 4097, 0x7FFFFFFF, 0xFFFFFFFF]),
    st.sampled_from([0, 2, 2, 2, 199, 1 << 40]),
)


@st.composite
def disks(draw: st.DrawFn) -> bytes:
    image = bytearray(512 * SECTORS)
    for place in PLACES:
        image[512 * place : 512 * place + 512] = draw(TABLE)
    for place in draw(st.lists(st.integers(1, 40), max_size=3)):
        image[512 * place : 512 * place + 512] = draw(LABEL)
    if draw(st.booleans()):
        header, entries = draw(GPT)
        image[512 : 512 + len(header)] = header
        image[1024 : 1024 + len(entries)] = entries
    return bytes(image)


def attempt(m: Machine, partition: int) -> None:
    """Open and mount a partition; nothing but GrubError and Stop comes out, and the errors agree."""
    m.errnum, m.current_drive, m.current_partition = ErrNum.NONE, 0x80, partition
    try:
        open_partition(m)
        m.current_partition = partition
        open_device(m)
    except GrubError as error:
        assert m.errnum == error.number
    except Stop as stop:
        assert stop.outcome in (Outcome.HANG, Outcome.CRASH)


@pytest.mark.parametrize("profile", ["xen-4.17", "amazon-1.05"])
@pytest.mark.parametrize("arch", ["x86_64", "i386"])
@settings(max_examples=rounds(100, otherwise=20), deadline=None)
@given(disks())
def test_any_table_ends_in_an_outcome(profile: str, arch: str, image: bytes) -> None:
    m = machine_on(image, profile=profile, arch=arch)
    for number in (0, 1, 3, 4, 5, 9, 254):
        attempt(m, number << 16 | 0xFFFF)
        attempt(m, number << 16 | 0x00FF)
    attempt(m, 0xFF01FF)
    attempt(m, WHOLE_DISK)
    # Loops are found by their state, not by running into the budget.
    assert m.steps < 200_000


@settings(max_examples=rounds(50, otherwise=10), deadline=None)
@given(disks())
def test_any_table_can_be_listed(image: bytes) -> None:
    m = machine_on(image)
    try:
        geometry(m, b"(hd0)", Flag.CMDLINE)
    except Stop as stop:
        assert stop.outcome in (Outcome.HANG, Outcome.CRASH)
