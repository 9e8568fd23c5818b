"""The SHA-256 of small and large buffers, with and without a thread for it, against hashlib's."""

from __future__ import annotations

import _thread
import hashlib
import random

import pytest

from pvgrub_sim.digest import SMALL, Digest


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 5 << 20])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_as_hashlib_has_it(size: int, kind: type[bytes] | type[bytearray]) -> None:
    data = kind(random.Random(size).randbytes(size))
    digest = Digest(data)
    assert digest.hex() == digest.hex() == hashlib.sha256(data).hexdigest()


def test_where_there_is_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    data = bytes(SMALL + 1)
    assert Digest(data).hex() == hashlib.sha256(data).hexdigest()
