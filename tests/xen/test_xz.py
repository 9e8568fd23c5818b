"""xz payloads: blocks, headers, index and footer as the small decoder checks them (Xen, xen/common/xz/dec_stream.c)."""

from __future__ import annotations

import functools
import lzma
import random
import subprocess
import zlib
from threading import Event, Thread

import pytest

from pvgrub_sim.xen import x86filter
from pvgrub_sim.xen.x86filter import AHEAD, CHUNK, WORTH_A_THREAD, X86Filter
from tests.kernel_images import Elf, bzimage, pack_xz, size_word
from tests.tools import require, run
from tests.xen.loading import boots, load, unpacked

ELF = Elf(size=30000).build()
WORD = size_word(ELF)


@pytest.mark.parametrize(
    ("check", "taken"),
    [(lzma.CHECK_NONE, True), (lzma.CHECK_CRC32, True), (lzma.CHECK_CRC64, False), (lzma.CHECK_SHA256, False)],
)
@pytest.mark.parametrize("bcj", [True, False])
def test_quirk_xz_checks(check: int, taken: bool, bcj: bool) -> None:
    loaded = load(bzimage(pack_xz(ELF, check, bcj) + WORD))
    assert (loaded.number is None) is taken
    if not taken:
        assert "Input was encoded with settings that are not supported by this XZ decoder" in loaded.lines[0]


@pytest.mark.parametrize("filters", [(lzma.FILTER_DELTA,), (lzma.FILTER_ARM,), (lzma.FILTER_X86, lzma.FILTER_DELTA)])
def test_xz_knows_no_filter_but_x86(filters: tuple[int, ...]) -> None:
    chain = [{"id": item} for item in filters] + [{"id": lzma.FILTER_LZMA2, "preset": 1}]
    data = lzma.compress(ELF, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=chain)
    assert not boots(data + WORD)


def test_xz_x86_filter_with_a_start_offset_is_refused() -> None:
    chain = [{"id": lzma.FILTER_X86, "start_offset": 16}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    assert not boots(lzma.compress(ELF, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=chain) + WORD)


def test_xz_second_stream_is_ignored() -> None:
    data = pack_xz(ELF)
    assert unpacked("xz", data + pack_xz(b"more") + WORD) == ELF


def blocks_of_xz(size: int, *options: str) -> bytes:
    """A stream of several blocks, made by xz itself; with threads, their headers hold their sizes."""
    return run("xz", "-c", "--check=crc32", f"--block-size={size}", *options, stdin=ELF)


@pytest.mark.parametrize("options", [("-T1",), ("-T2",), ("-T2", "--x86", "--lzma2=dict=64KiB")])
def test_xz_streams_of_several_blocks(options: tuple[str, ...]) -> None:
    data = blocks_of_xz(7000, *options)
    assert data[12:].count(bytes([data[12]]) + data[13:14]) > 1
    assert unpacked("xz", data + WORD) == ELF
    assert boots(data + WORD)


def xz_takes(data: bytes) -> bool:
    """Whether xz itself finds a stream sound."""
    done = subprocess.run([require("xz"), "--test", "--format=xz"], input=data, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("threads", ["-T1", "-T2"])
def test_xz_headers_index_and_footer_are_checked_as_by_xz_itself(threads: str) -> None:
    data = blocks_of_xz(12000, threads)
    header = (data[12] + 1) * 4
    index = int.from_bytes(data[-8:-4], "little") * 4 + 4
    places = [*range(6, 12 + header), *range(len(data) - 12 - index - 8, len(data))]
    assert xz_takes(data)
    for at in places:
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert not boots(damaged + WORD), at
        assert not xz_takes(damaged), at


def test_xz_sizes_in_a_block_header_must_be_right() -> None:
    data = bytearray(blocks_of_xz(1 << 20, "-T2"))
    length = (data[12] + 1) * 4
    assert data[13] == 0xC0
    data[14] ^= 1
    data[12 + length - 4 : 12 + length] = zlib.crc32(data[12 : 12 + length - 4]).to_bytes(4, "little")
    assert not boots(bytes(data) + WORD)
    assert not xz_takes(data)


def test_xz_stream_without_blocks_is_a_stream() -> None:
    assert unpacked("xz", lzma.compress(b"", lzma.FORMAT_XZ, lzma.CHECK_CRC32)) == b""


def test_quirk_first_byte_of_the_range_coder_is_passed_over() -> None:
    """liblzma insists on 0 there, the small decoder does not."""
    xz = bytearray(pack_xz(ELF, bcj=False) + WORD)
    start = 12 + (xz[12] + 1) * 4 + 6
    assert xz[start] == 0
    xz[start] = 0x5A
    assert unpacked("xz", bytes(xz)) == ELF
    several = bytearray(blocks_of_xz(20000, "-T1"))
    block = several.index(several[12 : 12 + (several[12] + 1) * 4], 13)
    several[start], several[block + start - 12] = 1, 2
    assert unpacked("xz", bytes(several)) == ELF


def x86_code(size: int) -> bytes:
    """Bytes with many calls and jumps, near and far, also across the borders of chunks."""
    rng = random.Random(size)
    targets = [rng.randrange(-1 << 24, 1 << 24).to_bytes(4, "little", signed=True) for _ in range(50)]
    opcodes = (b"\xe8", b"\xe9", b"\xe8\xe8", b"\x90", b"\x0f\x84")
    parts = [rng.choice(opcodes) + rng.choice(targets) for _ in range(size // 5)]
    return b"".join(parts)[:size].ljust(size, b"\xe8")


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize(
    "size", [0, 1, 4, 5, CHUNK - 1, CHUNK, CHUNK + 2, WORTH_A_THREAD - 3, WORTH_A_THREAD, WORTH_A_THREAD + CHUNK + 1]
)
def test_x86_filter_as_xz_itself_has_it(size: int, processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    require("xz")
    monkeypatch.setattr(x86filter, "processors", lambda: processors)
    code = x86_code(size)
    data = run("xz", "-c", "-0", "--check=crc32", "--x86", "--lzma2=preset=0", stdin=code)
    assert unpacked("xz", data) == code


@functools.cache
def large() -> bytes:
    return pack_xz(Elf(size=3 << 20).build())


@pytest.mark.parametrize("processors", [1, 2])
def test_damage_behind_the_first_megabyte_is_noticed(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(x86filter, "processors", lambda: processors)
    data = large()
    assert boots(data)
    for at in (len(data) // 2, len(data) * 3 // 4):
        assert not boots(data[:at])
        assert not boots(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])


def test_without_a_thread_to_be_had_the_decoder_filters_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(x86filter, "processors", lambda: 2)
    monkeypatch.setattr(Thread, "start", start)
    code = x86_code(WORTH_A_THREAD + 3 * CHUNK)
    assert unpacked("xz", run("xz", "-c", "-0", "--check=crc32", "--x86", "--lzma2=preset=0", stdin=code)) == code


class Stuck:
    """A sink that takes nothing more than a megabyte before it is let go."""

    def __init__(self) -> None:
        self.size = 0
        self.full, self.go = Event(), Event()

    def __len__(self) -> int:
        return self.size

    def append(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size >= WORTH_A_THREAD:
            self.full.set()
            assert self.go.wait(60)


def test_the_decoder_waits_for_the_filter() -> None:
    out = Stuck()
    pieces = 10 * AHEAD

    def feed() -> None:
        with X86Filter(out) as sink:
            for _ in range(pieces):
                sink.append(bytes(CHUNK))
                fed.append(1)

    fed: list[int] = []
    feeder = Thread(target=feed)
    feeder.start()
    try:
        assert out.full.wait(60)
        feeder.join(0.2)
        assert feeder.is_alive()
        assert len(fed) <= WORTH_A_THREAD // CHUNK + AHEAD + 1
    finally:
        out.go.set()
        feeder.join()
    assert out.size == pieces * CHUNK
