"""PLACEHOLDER: the fat driver is being written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

from pvgrub_sim.grub.machine import Machine


class Fat:
    name: ClassVar[str] = "fat"

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        return None

    def open(self, path: bytes) -> None:
        raise NotImplementedError

    def read(self, length: int) -> bytes:
        raise NotImplementedError

    def list(self, path: bytes) -> Iterator[bytes]:
        raise NotImplementedError
