"""Unpacking kernels: every payload format, every installed library, and the command-line tools, in turns.

Works on the kernel of Debian's linux-image-amd64, fetched and packed anew at run time, and on a made one of 64 MiB.
Each contestant unpacks the same payload; libraries run in this process, tools in one of their own. CPU seconds count,
since they say the same on a busy machine. Usage: python bench/bench_payload.py [--quick] [--json FILE] [--svg FILE]
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import importlib
import lzma
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import MIB, OTHER, OURS, TOOL, Row, publish
from pvgrub_sim.xen.packed import Packed
from pvgrub_sim.xen.payload import FORMATS
from pvgrub_sim.xen.repack import extract_elf
from tests.debian_kernels import cache_dir, debian_kernel
from tests.kernel_images import Elf, pack_lz4, pack_lzo, size_word

STEP = 1 << 18
Work = Callable[[bytes], int]
"""Unpacks a payload without its size word and returns how many bytes came out."""

PACKERS: dict[str, list[str]] = {
    "gzip": ["gzip", "-n", "-9", "-c"],
    "bzip2": ["bzip2", "-9", "-c"],
    "xz": ["xz", "--check=crc32", "--x86", "--lzma2=,dict=32MiB", "-c"],
    "lzma": ["lzma", "-6", "-c"],
    "lzo": ["lzop", "-9", "-c"],
    "lz4": ["lz4", "-l", "-9", "-c"],
    "zstd": ["zstd", "-19", "-c"],
}
"""How the kernel's build packs, but for levels that take minutes."""
UNPACKERS: dict[str, list[str]] = {
    "gzip": ["gzip", "-dc"],
    "bzip2": ["bzip2", "-dc"],
    "xz": ["xz", "-dc"],
    "lzma": ["lzma", "-dc"],
    "lzo": ["lzop", "-dc"],
    "lz4": ["lz4", "-dc"],
    "zstd": ["zstd", "-dc"],
}


def stream(make: Callable[[], object]) -> Work:
    """Work with a decompressor object of the standard library's kind, chunk by chunk."""

    def work(payload: bytes) -> int:
        decompressor = make()
        view = memoryview(payload)
        return sum(len(decompressor.decompress(view[at : at + STEP])) for at in range(0, len(view), STEP))

    return work


def lz4_chunks(payload: bytes) -> int:
    """lz4.block, chunk by chunk."""
    block = importlib.import_module("lz4.block")
    at, total = 4, 0
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 4], "little")
        total += len(block.decompress(payload[at + 4 : at + 4 + size], uncompressed_size=8 << 20))
        at += 4 + size
    return total


def lzo_blocks(unpack: Callable[[bytes, int], bytes]) -> Work:
    """Work with a function that unpacks one LZO block."""
    from pvgrub_sim.xen.lzo import _header_size

    def work(payload: bytes) -> int:
        at = _header_size(memoryview(payload)) or 0
        total = 0
        while size := int.from_bytes(payload[at : at + 4], "big"):
            length = int.from_bytes(payload[at + 4 : at + 8], "big")
            block = payload[at + 12 : at + 12 + length]
            total += len(block if length == size else unpack(block, size))
            at += 12 + length
        return total

    return work


def libraries() -> Iterator[tuple[str, str, Work]]:
    """Format, name and work of each library that is installed."""
    yield "gzip", "zlib (stdlib)", stream(lambda: zlib.decompressobj(31))
    yield "bzip2", "bz2 (stdlib)", stream(bz2.BZ2Decompressor)
    yield "xz", "lzma (stdlib)", stream(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))
    yield "lzma", "lzma (stdlib)", stream(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE))
    if lzma_mt := installed("lzma_mt"):
        # A liblzma of its own, 5.8.1 in its wheels; one thread, since a kernel is one block.
        yield "xz", "lzma-mt", stream(lambda: lzma_mt.LZMADecompressor(lzma.FORMAT_XZ))
    if isal := installed("isal.isal_zlib"):
        yield "gzip", "isal", stream(lambda: isal.decompressobj(wbits=31))
    if ng := installed("zlib_ng.zlib_ng"):
        yield "gzip", "zlib-ng", stream(lambda: ng.decompressobj(wbits=31))
    if indexed := installed("indexed_bzip2"):
        yield "bzip2", "indexed_bzip2 (parallel)", lambda payload: _read_all(indexed, payload)
    if installed("lz4.block"):
        yield "lz4", "lz4.block", lz4_chunks
    if zstandard := installed("zstandard"):
        yield "zstd", "zstandard", lambda payload: _read_into(zstandard, payload)
    if pyzstd := installed("pyzstd"):
        yield "zstd", "pyzstd", stream(pyzstd.ZstdDecompressor)
    if lzallright := installed("lzallright"):
        yield "lzo", "lzallright", lzo_blocks(lzallright.LZOCompressor().decompress)
    if lzo := installed("lzo"):
        yield "lzo", "python-lzo", lzo_blocks(lambda block, size: lzo.decompress(block, False, size))


def installed(name: str) -> object:
    """A module, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _read_all(indexed: object, payload: bytes) -> int:
    import io

    total = 0
    with indexed.open(io.BytesIO(payload), parallelization=os.cpu_count()) as file:
        while chunk := file.read(MIB):
            total += len(chunk)
    return total


def _read_into(zstandard: object, payload: bytes) -> int:
    buffer = bytearray(STEP)
    total = 0
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(payload) as reader:
        while count := reader.readinto(buffer):
            total += count
    return total


def ours(form: str) -> Work:
    """What pvgrub-sim itself does, its checks included."""
    found = next(item for item in FORMATS if item.name == form)

    def work(payload: bytes) -> int:
        result = found.decoder(Packed(memoryview(payload), len(payload)))
        assert result is not None
        return len(result.data)

    return work


def made_kernel(size: int) -> bytes:
    """A kernel of so many bytes: half of it repeats itself, as code does, a quarter is noise, a quarter zeros."""
    rng = random.Random(1)
    words = [rng.randbytes(rng.randrange(2, 12)) for _ in range(4000)]
    code = b"".join(rng.choices(words, k=size // 14))
    elf = Elf(size=1 << 16).build()
    return elf + code[: size // 2] + rng.randbytes(size // 4) + bytes(size - size // 2 - size // 4 - len(elf))


def pack(form: str, name: str, data: bytes) -> bytes:
    """A payload without its size word, made by the tool, kept in the cache."""
    target = cache_dir() / "bench" / f"{name}.{form}"
    if target.exists():
        return target.read_bytes()
    target.parent.mkdir(exist_ok=True)
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            packed = subprocess.run([*PACKERS[form], file.name], check=True, stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        packed = {"lz4": pack_lz4, "lzo": pack_lzo}[form](data)
    target.write_bytes(packed)
    return packed


def cpu(work: Work, payload: bytes, size: int) -> float:
    """CPU seconds of one unpacking in this process."""
    begin = time.process_time()
    assert work(payload) == size
    return time.process_time() - begin


def cpu_of_tool(words: list[str], payload: Path) -> float:
    """CPU seconds of a tool that unpacks a file to nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with payload.open("rb") as source:
        subprocess.run(words, stdin=source, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def contest(name: str, data: bytes, forms: list[str], turns: int) -> Iterator[Row]:
    """Measure all contestants on one kernel, in turns."""
    works = list(libraries())
    with tempfile.TemporaryDirectory() as folder:
        for form in forms:
            payload = pack(form, name, data)
            path = Path(folder) / f"payload.{form}"
            path.write_bytes(payload)
            full = payload if form == "gzip" else payload + size_word(data)
            rows = [Row(f"{form}: {name}", "pvgrub-sim", OURS, len(data))]
            mine = ours(form)
            others = [(Row(rows[0].group, label, OTHER, len(data)), work) for f, label, work in works if f == form]
            tool = Row(rows[0].group, " ".join(UNPACKERS[form]), TOOL, len(data))
            for _ in range(turns):
                rows[0].seconds.append(cpu(mine, full, len(data)))
                for row, work in others:
                    row.seconds.append(cpu(work, payload, len(data)))
                with contextlib.suppress(FileNotFoundError):  # a tool that is not installed takes no part
                    tool.seconds.append(cpu_of_tool(UNPACKERS[form], path))
            yield from (row for row in (*rows, *(row for row, _ in others), tool) if row.seconds)


def main() -> int:
    """Run the contests and show what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small made kernel only, one turn")
    parser.add_argument("--formats", default=",".join(PACKERS), help="comma-separated")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    args = parser.parse_args()
    forms = args.formats.split(",")
    rows: list[Row] = []
    if args.quick:
        rows += contest("made kernel, 4 MiB", made_kernel(4 * MIB), forms, 1)
    else:
        kernel = debian_kernel("linux-image-amd64")
        elf = bytes(extract_elf(str(kernel), kernel.read_bytes()))
        rows += contest("Debian's linux-image-amd64", elf, forms, args.turns)
        rows += contest("made kernel, 64 MiB", made_kernel(64 * MIB), forms, args.turns)
    publish("Unpacking kernel payloads", rows, json_file=args.json, svg_file=args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
