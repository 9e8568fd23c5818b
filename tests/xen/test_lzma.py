"""lzma payloads as the small decoder takes them (Xen, xen/common/unlzma.c)."""

from __future__ import annotations

import pytest

from tests.kernel_images import Elf, pack_lzma, size_word
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
    marked[5:13] = (len(ELF) - 100).to_bytes(8, "little")
    assert unpacked("lzma", bytes(marked) + WORD) == ELF[:-100]


@pytest.mark.parametrize(("dictionary", "taken"), [(0, False), (256, False), (1 << 30, True), (1 << 31, False)])
def test_lzma_dictionaries(dictionary: int, taken: bool) -> None:
    data = pack_lzma(ELF) + WORD
    assert boots(data[:1] + dictionary.to_bytes(4, "little") + data[5:]) is taken
