"""Runs commands in this process and keeps what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pvgrub_sim.cli import main

MENU = "(hd0)/boot/grub/menu.lst"


class Run:
    """Runs commands and keeps what they say."""

    def __init__(self, good: Path, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self.good, self.folder, self.capture = good, folder, capture
        self.out = self.err = b""

    def __call__(self, words: list[str], path: str | Path = "") -> int:
        """The exit status of a command; {} in its words stands for the path."""
        places = {"{good}": str(self.good), "{out}": str(self.folder / "out"), "{}": str(path)}
        pattern = re.compile("|".join(map(re.escape, places)))
        filled = [pattern.sub(lambda found: places[found[0]], word) for word in words]
        try:
            status = main(filled)
        except SystemExit as done:
            status = int(done.code or 0)
        self.out, self.err = self.capture.readouterr()
        return status

    def refused(self) -> None:
        """Nothing was printed but one line that says what is wrong."""
        assert self.out == b""
        assert self.err.startswith(b"pvgrub-sim: ")
        assert self.err.count(b"\n") == 1 and self.err.endswith(b"\n")
        assert not (self.folder / "out").exists()
