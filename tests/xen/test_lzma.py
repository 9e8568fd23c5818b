"""lzma payloads as the small decoder takes them (Xen, xen/common/unlzma.c)."""

from __future__ import annotations

import random

import pytest

from pvgrub_sim.xen import unlzma
from pvgrub_sim.xen.packed import PayloadDamaged
from tests.kernel_images import Elf, pack_lzma, size_word
from tests.rounds import spread
from tests.xen.loading import boots, unpacked

ELF = Elf(size=30000).build()
WORD = size_word(ELF)


def test_quirk_first_byte_of_the_range_coder_is_passed_over() -> None:
    """liblzma insists on 0 there, the small decoders do not."""
    data = bytearray(pack_lzma(ELF) + WORD)
    data[13] = 0xA5
    assert unpacked("lzma", bytes(data)) == ELF


def test_lzma_ends_at_its_size_or_its_end_marker() -> None:
    marked = bytearray(pack_lzma(ELF))
    assert marked[5:13] == b"\xff" * 8
    for size in (len(ELF), len(ELF) + 1000, 1 << 40):
        marked[5:13] = size.to_bytes(8, "little")
        assert unpacked("lzma", bytes(marked) + WORD) == ELF
    noise = random.Random(1).randbytes(300)
    literal = bytearray(pack_lzma(ELF + noise) + WORD)
    literal[5:13] = (len(ELF) + 200).to_bytes(8, "little")
    assert unpacked("lzma", bytes(literal)) == ELF + noise[:200]


def test_quirk_a_match_over_the_announced_size_is_damage_or_completed() -> None:
    """Recorded: fixtures/decoders, `lzma, size within a match`."""
    for dictionary, taken in ((1 << 16, False), (4096, True)):
        data = bytearray(pack_lzma(ELF + bytes(1000), dictionary) + WORD)
        data[5:13] = (len(ELF) + 500).to_bytes(8, "little")
        assert boots(bytes(data)) is taken
    longer = unpacked("lzma", bytes(data))
    assert len(ELF) + 500 < len(longer) <= len(ELF) + 500 + 272
    assert longer == (ELF + bytes(1000))[: len(longer)]


def test_quirk_nothing_behind_the_announced_size_is_looked_at() -> None:
    data = bytearray(pack_lzma(ELF))
    data[5:13] = len(ELF).to_bytes(8, "little")
    for at in (2, 3):
        data[-at] ^= 8
        assert unpacked("lzma", bytes(data) + WORD) == ELF


def test_quirk_what_is_left_behind_the_end_marker_need_not_be_zero() -> None:
    """Recorded: fixtures/decoders, `bit … flipped` of the last bytes: some are taken, which liblzma never does."""
    taken = 0
    for bit in spread(range(40), otherwise=10):
        data = bytearray(pack_lzma(ELF))
        data[-1 - bit // 8] ^= 1 << bit % 8
        try:
            taken += unpacked("lzma", bytes(data) + WORD) == ELF
        except PayloadDamaged:
            continue
    assert 0 < taken < 40


def test_large_damaged_payloads_take_the_fast_way_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlzma, "EXACT_LIMIT", 1000)
    data = pack_lzma(ELF) + WORD
    assert unpacked("lzma", data) == ELF
    assert not boots(data[: len(data) // 2])
    sized = bytearray(data)
    sized[5:13] = (len(ELF) + 1).to_bytes(8, "little")
    assert unpacked("lzma", bytes(sized)) == ELF


def test_the_slow_way_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlzma, "EXACT_OUTPUT", 1 << 16)
    bomb = bytearray(pack_lzma(bytes(16 << 20)))
    bomb[-1] ^= 0xFF
    bomb[-2] ^= 0xFF
    with pytest.raises(PayloadDamaged):
        unpacked("lzma", bytes(bomb))


@pytest.mark.parametrize(("dictionary", "taken"), [(0, False), (256, False), (1 << 30, True), (1 << 31, False)])
def test_lzma_dictionaries(dictionary: int, taken: bool) -> None:
    data = pack_lzma(ELF) + WORD
    assert boots(data[:1] + dictionary.to_bytes(4, "little") + data[5:]) is taken
