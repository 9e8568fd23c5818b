"""The harness of fuzz/ itself: every target runs, and a broken promise is told with the way to make it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fuzz.__main__ import one
from fuzz.disks import Image
from fuzz.invariants import Broken, text
from fuzz.targets import TARGETS
from fuzz.world import World
from tests.rounds import rounds

ROOT = Path(__file__).parents[2]


def test_a_short_run() -> None:
    command = [sys.executable, "-m", "fuzz", "--few", "--seconds", str(rounds(8, otherwise=3)), "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{name} " in done.stdout for name in TARGETS)


def test_what_is_broken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def target(random: Random, world: World) -> None:
        text("a\x1b[2J" if random.random() < 0.5 else "a", "a text")

    monkeypatch.setitem(TARGETS, "menu", (target, 1))
    world = World(few=True)
    seen = []
    for count in range(20):
        try:
            one("menu", 1, count, world)
        except Broken:
            seen.append(count)
    assert 0 < len(seen) < 20
    for count in seen:
        with pytest.raises(Broken, match="a control character"):
            one("menu", 1, count, world)


def test_patches_lie_on_top() -> None:
    disk = Image("x", b"abcdefgh", [(2, b"XY"), (3, b"Z"), (7, b"12")], 10)
    assert disk.whole() == b"abXZefg12\0"
    assert disk.read(3, 2) == b"Ze"
