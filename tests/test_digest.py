"""CRC-32 and SHA-256 of small and large buffers, with and without a thread, against zlib's and hashlib's."""

from __future__ import annotations

import _thread
import hashlib
import random
import zlib

import pytest

from pvgrub_sim.digest import SMALL, Digest


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
