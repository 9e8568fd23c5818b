"""Kernels made to be looked at for ever: notes, sections, magic numbers and bombs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.limits import limited
from tests.kernel_images import Elf, bzimage, note, pack_gzip


def notes() -> bytes:
    return Elf(notes=note(6, b"linux\0") * 2_000_000, size=5000).build()


def guest_section() -> bytes:
    return Elf(notes=b"", in_segment=False, guest=b"A=B," * 3_000_000).build()


def features() -> bytes:
    return Elf(notes=b"", in_segment=False, guest=b"FEATURES=" + b"|" * 12_000_000).build()


def lz4_magics() -> bytes:
    return bzimage(struct.pack("<I", 0x184C2102) * 3_000_000 + struct.pack("<I", 1 << 20))


def gzip_bomb() -> bytes:
    return bzimage(pack_gzip(bytes(300 << 20), level=1))


@pytest.mark.parametrize(
    "make", [notes, guest_section, features, lz4_magics, gzip_bomb], ids=lambda make: make.__name__
)
def test_seconds_and_memory(make: Callable[[], bytes], tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(make())
    assert limited(["kernel", str(kernel)], seconds=20).status == 1
