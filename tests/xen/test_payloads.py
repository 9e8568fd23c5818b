"""Payloads, whole and damaged: what each of the Mini-OS build's decoders takes (Xen, xen/common/un*.c)."""

from __future__ import annotations

import bz2
import os
import struct
import zlib

import pytest

from pvgrub_sim.profiles import find_profile
from pvgrub_sim.xen.loader import parse_image
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, PayloadTooLarge
from pvgrub_sim.xen.payload import FORMATS, unpack
from pvgrub_sim.xen.refusal import Cause, KernelRefused
from tests.kernel_images import (
    Elf,
    bzimage,
    pack_gzip,
    pack_lz4,
    pack_lzo,
    pack_zstd,
    payload,
    size_word,
)
from tests.rounds import rounds
from tests.xen.loading import boots, load, probe_line, unpacked
from tests.xen.tools import lzo_file

ELF = Elf(size=30000).build()
WORD = size_word(ELF)
STREAM_DRIVEN = ("bzip2", "xz", "lzma", "lzo", "zstd")


@pytest.mark.parametrize("form", STREAM_DRIVEN)
def test_quirk_size_word_and_what_follows_the_stream_do_not_count(form: str) -> None:
    stream = payload(form, ELF)[:-4]
    for tail in (b"", WORD, bytes(4), b"\xff" * 4, bytes(16) + WORD, os.urandom(50)):
        assert boots(stream + tail)


@pytest.mark.parametrize("form", ["gzip", "lz4", *STREAM_DRIVEN])
@pytest.mark.parametrize("sixteenth", range(1, 16))
def test_cut_payloads_are_refused(form: str, sixteenth: int) -> None:
    data = payload(form, ELF)
    assert not boots(data[: len(data) * sixteenth // 16])


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zstd"])
def test_flipped_bits_are_noticed_by_formats_with_a_checksum(form: str) -> None:
    data = payload(form, ELF)
    for at in range(20, len(data) - 30, len(data) // 40):
        assert not boots(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]), at


@pytest.mark.parametrize("form", ["lz4", "lzo"])
def test_quirk_flipped_literals_go_unnoticed_without_a_checksum(form: str) -> None:
    noise = Elf(size=30000).build()
    middle = 8000
    noise = noise[:middle] + os.urandom(4000) + noise[middle + 4000 :]
    data = bytearray(payload(form, noise))
    at = data.find(noise[middle + 1000 : middle + 1016])
    assert at > 0
    data[at + 4] ^= 1
    assert boots(bytes(data))


# --- gzip


def test_quirk_gzip_image_is_16_zero_bytes_longer() -> None:
    """An ELF whose section headers end up to 16 bytes behind its end is still taken."""
    assert boots(pack_gzip(ELF[:-16]))
    assert not boots(pack_gzip(ELF[:-17]))
    assert not boots(payload("xz", ELF[:-1]))


def test_gzip_padding_moves_the_size() -> None:
    data = pack_gzip(ELF)
    assert not boots(data + bytes(4))
    assert boots(data + bytes(3) + b"\1" + WORD)
    assert boots(data + (len(ELF) - 16).to_bytes(4, "little"))
    assert not boots(data + (len(ELF) - 17).to_bytes(4, "little"))


def test_quirk_gzip_image_is_as_large_as_the_size_word_says() -> None:
    loaded = load(bzimage(pack_gzip(ELF) + (400 << 20).to_bytes(4, "little")))
    assert loaded.image
    assert loaded.image.size == (400 << 20) + 16


def test_quirk_gzip_size_above_1_gib_is_left_packed_silently() -> None:
    lines = load(bzimage(pack_gzip(ELF) + b"\x01\x00\x00\x40")).lines
    assert len(lines) == 2
    assert boots(pack_gzip(ELF) + b"\x00\x00\x00\x40")


@pytest.mark.parametrize(("flags", "extra"), [(2, b"crc"), (4, b"\3\0abc"), (8, b"name\0"), (16, b"words\0")])
def test_gzip_header_fields(flags: int, extra: bytes) -> None:
    plain = pack_gzip(ELF)
    head = plain[:3] + bytes([flags]) + plain[4:10]
    if flags == 2:
        extra = (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert boots(head + extra + plain[10:])
    if flags == 2:
        assert not boots(head + b"\0\0" + plain[10:])


def test_gzip_bomb_ends_at_its_size_word() -> None:
    bomb = pack_gzip(bytes(200 << 20), level=1)
    lines = load(bzimage(bomb + WORD)).lines
    assert "inflate failed (rc=-5)" in lines[0]


# --- bzip2, zstd


def test_bzip2_second_stream_is_ignored() -> None:
    assert unpacked("bzip2", bz2.compress(ELF) + bz2.compress(b"more") + WORD) == ELF


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("content_size", [True, False])
def test_zstd_frames(checksum: bool, content_size: bool) -> None:
    frame = pack_zstd(ELF, checksum, content_size)
    assert unpacked("zstd", frame + pack_zstd(b"more") + WORD) == ELF


def test_quirk_zstd_content_size_is_not_checked() -> None:
    frame = bytearray(pack_zstd(ELF))
    assert frame[4] >> 6 == 1
    frame[5] ^= 1
    assert unpacked("zstd", bytes(frame) + WORD) == ELF


@pytest.mark.parametrize(("window", "taken"), [(0x88, True), (0x89, False), (0x90, False), (0xF8, False)])
def test_zstd_windows_up_to_128_mib(window: int, taken: bool) -> None:
    frame = bytearray(pack_zstd(ELF, content_size=False))
    assert not frame[4] & 0x20
    frame[5] = window
    assert boots(bytes(frame) + WORD) is taken


def test_zstd_dictionary_and_reserved_bit_are_refused() -> None:
    frame = bytearray(pack_zstd(ELF, content_size=False))
    frame[4] |= 8
    assert not boots(bytes(frame) + WORD)
    frame[4] &= ~8
    with_dictionary = frame[:4] + bytes([frame[4] | 1]) + frame[5:6] + b"\7" + frame[6:]
    assert not boots(bytes(with_dictionary) + WORD)


# --- lz4, lzo


def test_quirk_lz4_takes_its_size_from_the_size_word() -> None:
    data = pack_lz4(ELF)
    assert boots(data + WORD)
    for wrong in (-100, -1, 1, 100, 1 << 20):
        assert not boots(data + (len(ELF) + wrong).to_bytes(4, "little"))
    assert not boots(data + bytes(16) + WORD)


def test_quirk_lz4_length_of_a_chunk_does_not_count() -> None:
    data = pack_lz4(ELF)
    for length in (0, 1, len(data), 0xFFFFFFFF):
        assert boots(data[:4] + struct.pack("<I", length) + data[8:] + WORD)


def test_lz4_magic_may_stand_again_before_a_chunk() -> None:
    data = pack_lz4(ELF)
    assert boots(data[:4] * 3 + data[4:] + WORD)
    # Every chunk but full ones gets as much room as the size word says.
    assert unpacked("lz4", data + data + WORD) == ELF * 2
    assert not boots(data + data + size_word(ELF * 2))


def test_lz4_several_chunks() -> None:
    large = Elf(size=(17 << 20) + 5).build()
    data = pack_lz4(large)
    assert unpacked("lz4", data + size_word(large)) == large


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_lz4_slow_way_unpacks_what_the_library_does(arch: str) -> None:
    from pvgrub_sim.xen.lz4 import unpack_chunk

    chunk = pack_lz4(ELF)[8:]
    out, used = unpack_chunk(memoryview(chunk + b"more"), len(ELF), 64 if arch == "x86_64" else 32)
    assert (bytes(out), used) == (ELF, len(chunk))


def test_lzo_files_of_lzop() -> None:
    assert unpacked("lzo", lzo_file(ELF) + WORD) == ELF


@pytest.mark.parametrize("name", [b"", b"vmlinux.bin", bytes(range(1, 256))])
@pytest.mark.parametrize("version", [0x0900, 0x1030])
def test_lzo_headers(name: bytes, version: int) -> None:
    data = pack_lzo(ELF, name=name)
    if version < 0x0940:  # without level and the high half of the time
        data = data[:9] + struct.pack(">H", version) + data[11:16] + data[17:29] + data[33:]
    assert unpacked("lzo", data + WORD) == ELF


def test_quirk_lzo_checksums_are_not_looked_at() -> None:
    data = bytearray(pack_lzo(ELF))
    at = 9 + 7 + 1 + 4 + 12 + 1 + 4
    data[at - 4 : at] = b"\0\0\0\0"
    data[at + 8 : at + 12] = b"\0\0\0\0"
    assert unpacked("lzo", bytes(data)) == ELF


def test_lzo_blocks_above_256_kib_are_refused() -> None:
    data = bytearray(pack_lzo(ELF))
    at = 9 + 7 + 1 + 4 + 12 + 1 + 4
    data[at : at + 4] = ((256 << 10) + 1).to_bytes(4, "big")
    with pytest.raises(PayloadDamaged, match="dest len longer than block size"):
        unpacked("lzo", bytes(data))


def test_what_the_domain_has_no_memory_for_is_refused() -> None:
    """The file and what it unpacks to are there at the same time (xg_dom_core.c:xc_dom_malloc gives no memory)."""
    kernel = bzimage(pack_gzip(ELF) + (400 << 20).to_bytes(4, "little"))
    for memory, cause in ((400, Cause.PAYLOAD_TOO_LARGE), (402, None)):
        profile = find_profile("xen-4.17")._replace(memory=memory)
        lines: list[str] = []
        if cause is None:
            assert parse_image(kernel, profile, lines.append).size == (400 << 20) + 16
            continue
        with pytest.raises(KernelRefused) as refused:
            parse_image(kernel, profile, lines.append)
        assert refused.value.cause is cause and "400 MiB" in refused.value.reason
        assert lines[0] == probe_line(740, ": unable to gzip decompress kernel")


# --- limits


@pytest.mark.parametrize("form", STREAM_DRIVEN)
def test_bombs_end_at_the_limit(form: str) -> None:
    bomb = payload(form, bytes(16 << 20))
    found = next(item for item in FORMATS if item.name == form)
    with pytest.raises(PayloadTooLarge):
        unpack(found, Packed(memoryview(bomb), len(bomb), most=8 << 20))


@pytest.mark.parametrize("form", ["gzip", "lz4", *STREAM_DRIVEN])
def test_what_is_kept_is_what_was_unpacked(form: str) -> None:
    """Of a large kernel only headers and notes are kept; the verdict is the same."""
    size = rounds(6, otherwise=1) << 19
    large = Elf(size=size, in_section=True).build()
    assert load(bzimage(payload(form, large))).guest_type == "xen-3.0-x86_64"
    guest = b"GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,ELF_PADDR_OFFSET=0"
    old = Elf(size=size, in_segment=False, notes=b"", guest=guest, extra_segments=()).build()
    assert load(bzimage(payload(form, old))).guest_type == "xen-3.0-x86_64"
