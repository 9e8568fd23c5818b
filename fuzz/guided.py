"""`python -m fuzz.guided TARGET [OPTION of libFuzzer]…`: the same targets, guided by coverage; needs atheris."""

from __future__ import annotations

import sys
from random import Random

import atheris

from fuzz.world import World

with atheris.instrument_imports(include=["pvgrub_sim"]):
    from fuzz.targets import TARGETS


class Bytes(Random):
    """Chance that is read from bytes, so that a small change of them is a small change of the input."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data, self._at = data, 0

    def getrandbits(self, k: int, /) -> int:
        """The next k bits of the bytes; behind their end those of a generator."""
        count = (k + 7) // 8
        piece = self._data[self._at : self._at + count]
        self._at += count
        if len(piece) < count:
            return super().getrandbits(k)
        return int.from_bytes(piece, "little") & (1 << k) - 1

    def random(self) -> float:
        """A number from 0 to 1, of 16 bits."""
        return self.getrandbits(16) / 65536


def main() -> None:
    """Run libFuzzer on one target."""
    name = sys.argv.pop(1)
    world = World(few=True)
    atheris.Setup(sys.argv, lambda data: TARGETS[name][0](Bytes(data), world))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
