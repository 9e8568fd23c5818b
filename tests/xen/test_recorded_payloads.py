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
