"""isal and lzallright are preferences: without them zlib and python3-lzo do, and the answer is the same."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from pvgrub_sim import UsageError, boot, examine_kernel
from tests.images import unpack_sparse
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

IMAGES = Path(__file__).parents[2] / "fixtures" / "images"


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python as Debian has it: neither of the two is there."""
    for name in ("isal", "isal.isal_zlib", "lzallright"):
        monkeypatch.setitem(sys.modules, name, None)


def test_images_and_kernels_are_unpacked_by_zlib(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    raw = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "disk.img")
    packed = tmp_path / "disk.img.gz"
    packed.write_bytes(gzip.compress(raw.read_bytes()))
    cluster = tmp_path / "disk.qcow2"
    run("qemu-img", "convert", "-c", "-O", "qcow2", raw, cluster)
    before = [boot(image) for image in (packed, cluster)]
    request.getfixturevalue("plain")
    assert [boot(image) for image in (packed, cluster)] == before
    assert all(verdict.boots_default for verdict in before)


@pytest.mark.parametrize("form", ["gzip", "xz"])
@pytest.mark.parametrize("damaged", [False, True])
def test_payloads_come_to_the_same(form: str, damaged: bool, request: pytest.FixtureRequest) -> None:
    kernel = bytearray(bzimage(payload(form, Elf().build())))
    if damaged:
        kernel[len(kernel) - 40] ^= 0xFF
    before = examine_kernel(bytes(kernel))
    request.getfixturevalue("plain")
    assert examine_kernel(bytes(kernel)) == before


def test_lzo_needs_one_of_two_packages(plain: None) -> None:
    kernel = bzimage(payload("lzo", Elf().build()))
    try:
        import lzo  # noqa: F401  (python3-lzo, where it is there)
    except ImportError:
        with pytest.raises(UsageError, match="python-lzo"):
            examine_kernel(kernel)
        return
    assert any(one.boots for one in examine_kernel(kernel).opinions)
