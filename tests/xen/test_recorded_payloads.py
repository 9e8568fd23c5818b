"""Payloads whole and damaged: the same verdict and words as recorded from Xen's own source (fixtures/decoders)."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.conformance.compare import comparable_lines
from tests.kernel_images import bzimage
from tests.xen.loading import load

CASES = Path(__file__).parents[2] / "fixtures" / "decoders" / "cases.jsonl.zst"
FORMATS = ("gzip", "bzip2", "xz", "lzma", "lzo", "lz4", "zstd")
KNOWN_TO_DIFFER = {
    "zstd, window of 64 KiB for blocks of 128": "the ring buffer begins anew within the first blocks; refused here",
}
"""What a recording says otherwise, and why; a case that begins to pass fails the test."""
_FILE = re.compile(r"\bx[cg]_\w+\.c: ")


def recorded() -> Iterator[dict[str, Any]]:
    with CASES.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source) as lines:
        yield from map(json.loads, io.TextIOWrapper(lines, "utf-8"))


def answer(case: dict[str, Any]) -> tuple[int | None, int | None, list[str]]:
    """What our loader says: error, size and lines."""
    loaded = load(bzimage(base64.b64decode(case["payload"])), arch=case["arch"])
    size = loaded.image.size if loaded.image else None
    return loaded.number, size, [_FILE.sub("", line) for line in comparable_lines("\n".join(loaded.lines))]


def check(*names: str) -> None:
    """These cases alone; all of them must be recorded."""
    cases = [case for case in recorded() if case["what"] in names]
    assert len(cases) == len(names)
    for case in cases:
        assert answer(case) == (case["error"], case["size"], case["console"]), case["what"]


def test_quirk_bzip2_blocks_of_0_9_0_are_refused() -> None:
    check("bzip2, randomised block")


def test_quirk_input_may_end_within_the_end_marker_of_lzma() -> None:
    check("lzma, std: 2 bytes cut", "lzma, xzlzma: 2 bytes cut", "lzma, small: 2 bytes cut")


def test_quirk_zstd_frame_that_announces_up_to_128_kib_has_no_window_and_no_more() -> None:
    check(
        "zstd, content size of 1000, window of 1 KiB",
        "zstd, single segment of 255",
        "zstd, content size of 70000, more comes out",
    )


def test_quirk_zstd_blocks_may_be_larger_than_the_window_and_than_128_kib() -> None:
    check("zstd, window of 4 KiB", "zstd, window of 2 KiB for larger blocks", "zstd, RLE block of 200000")


def test_quirk_zstd_empty_compressed_block_is_an_error_where_the_frame_is_unpacked_at_once() -> None:
    check("zstd, empty compressed block at the end", "zstd, empty compressed block at the end, content size")


def test_quirk_zstd_reserved_bits_and_bytes_behind_no_sequences_do_not_count() -> None:
    check("zstd, reserved bits of the modes", "zstd, bytes behind 'no sequences'")


@pytest.mark.parametrize("form", FORMATS)
def test_same_as_recorded(form: str) -> None:
    cases = [case for case in recorded() if case["what"].startswith(f"{form}, ")]
    assert len(cases) > 50
    assert {case["error"] for case in cases} >= {None, 9}
    differing = {
        case["what"]: f"recorded {expected}, here {found}"
        for case in cases
        if (expected := (case["error"], case["size"], case["console"])) != (found := answer(case))
    }
    known = {what for what in KNOWN_TO_DIFFER if what.startswith(f"{form}, ")}
    assert set(differing) == known, differing
