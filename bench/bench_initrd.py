"""Looking through initrds: what it takes beyond their decompressor, which runs in turns with it in one process.

Works on an initrd that initramfs-tools makes for Debian's cloud kernel, packed anew in each format and repeated until
it is 60 MiB. Both unpack the same bytes by the same library; the ratio is the figure.
Usage: python bench/bench_initrd.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pvgrub_sim.initramfs.decoders import decoder_of
from pvgrub_sim.initramfs.feed import Feed
from pvgrub_sim.initramfs.look import look
from tests.debian_initrds import debian_initrd

MIB = 1 << 20
PACKERS = {
    "zstd": ["zstd", "-q", "-3"],
    "gzip": ["gzip", "-6n"],
    "xz": ["xz", "-1", "--check=crc32"],
    "lz4": ["lz4", "-l"],
    "lzo": ["lzop"],
    "bzip2": ["bzip2"],
}


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + MIB] for at in range(0, len(data), MIB))


def unpacked(data: bytes) -> int:
    """Only the decompressor, member after member."""
    feed = Feed(pieces(data))
    size = 0
    while (head := feed.peek(16)) and (form := decoder_of(head)) is not None:
        size += sum(len(piece) for piece in form[1](feed))
    return size


def timed(work: object, data: bytes) -> float:
    start = time.process_time()
    assert callable(work)
    work(data)
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="zstd and gzip, two turns")
    args = parser.parse_args()
    archive = subprocess.run(["zstd", "-dc"], input=debian_initrd("most"), capture_output=True, check=True).stdout
    for name in list(PACKERS)[: 2 if args.quick else None]:
        packed = subprocess.run(PACKERS[name], input=archive, capture_output=True, check=True).stdout
        data = packed * -(-60 * MIB // len(packed))
        ratios, times = [], []
        for _ in range(2 if args.quick else 5):
            plain, whole = timed(unpacked, data), timed(lambda raw: look(pieces(raw)), data)
            ratios.append(whole / plain)
            times.append(whole)
        size = f"{len(data) / MIB:.0f} MiB, {unpacked(data) / MIB:.0f} MiB unpacked"
        print(
            f"{name}: {size}, {statistics.median(times):.2f} s, {statistics.median(ratios):.2f} times the decompressor"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
