"""CRC-32 and SHA-256 of small and large buffers, with and without a thread, against zlib's and hashlib's."""

from __future__ import annotations

import _thread
import hashlib
import random
import struct
import zlib
from pathlib import Path

import pytest

from pvgrub_sim import Outcome, boot
from pvgrub_sim.digest import SMALL, Digest
from tests.grub.ext_images import Tree, make_ext
from tests.kernel_images import Elf, bzimage, pack_gzip


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 5 << 20])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("sha256", [True, False])
def test_as_zlib_and_hashlib_have_them(
    size: int, kind: type[bytes] | type[bytearray] | type[memoryview], sha256: bool
) -> None:
    data = kind(random.Random(size).randbytes(size))
    digest = Digest(data, sha256=sha256)
    assert digest.crc32() == digest.crc32() == zlib.crc32(data)
    assert digest.hex() == digest.hex() == (hashlib.sha256(data).hexdigest() if sha256 else "")


def test_where_there_is_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    data = bytes(SMALL + 1)
    digest = Digest(data)
    assert (digest.crc32(), digest.hex()) == (zlib.crc32(data), hashlib.sha256(data).hexdigest())


def test_without_the_sha256_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: started.append(1))
    assert Digest(bytes(5 << 20), sha256=False).crc32() == zlib.crc32(bytes(5 << 20))
    assert not started


PAGE = 4096
MODULES = """default 0
fallback 1
timeout 0
title a
root (hd0)
kernel /bad
module /large
title b
root (hd0)
kernel /k
module /small x
"""


def test_a_module_behind_a_kernel_that_was_refused_does_not_change_what_was_handed_over(tmp_path: Path) -> None:
    """The first entry's digests are still being computed when the second one packs its module behind the first's."""
    large, small = random.Random(1).randbytes(48 << 20), b"small"
    tree: Tree = {
        "bad": b"no kernel" * (SMALL // 8),
        "k": bzimage(pack_gzip(Elf().build())),
        "large": large,
        "small": small,
        "boot": {"grub": {"menu.lst": MODULES.encode()}},
    }
    image = make_ext(tmp_path / "modules.img", tree, size="64M", block=4096)
    end = PAGE + len(large)
    pages = [
        struct.pack("<8I", PAGE, end - 1, end, 0, end + PAGE, end + PAGE + 4, end + 2 * PAGE, 0),
        large,
        b"/large",
        small,
        b"/small x",
    ]
    packed = b"".join(page + bytes(-len(page) % PAGE) for page in pages)
    for _ in range(3):
        verdict = boot(image, findings=False)
        assert (verdict.outcome, verdict.entry) == (Outcome.BOOTS, 1)
        assert verdict.initrd is not None
        assert verdict.initrd.size == len(packed)
        assert verdict.initrd.crc32 == zlib.crc32(packed)
        assert verdict.initrd.sha256 == hashlib.sha256(packed).hexdigest()


def test_want_of_memory_in_the_thread_is_for_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A checksum of 0 would be a wrong one."""

    def starved(data: bytes) -> object:
        raise MemoryError

    monkeypatch.setattr("pvgrub_sim.digest.openssl_sha256", lambda: starved)
    made = Digest(bytes(SMALL + 1))
    for ask in (made.hex, made.crc32):
        with pytest.raises(MemoryError):
            ask()
    assert capfd.readouterr() == ("", "")
