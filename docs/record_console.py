"""Writes docs/console.cast, a session at PV-GRUB's console in asciinema's format (asciicast v2), from the tool itself.

python docs/record_console.py            write it
python docs/record_console.py --check    exit 1 when it is not what would be written
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import zstandard

from pvgrub_sim import Key, parse_keys
from pvgrub_sim.bootchain import run
from pvgrub_sim.keys import TypedKeys
from pvgrub_sim.media import AttachedDisk, attach
from pvgrub_sim.profiles import find_profile

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "fixtures" / "images" / "demo.img.zst"
KEYS = Path(__file__).with_name("console.keys")
CAST = Path(__file__).with_name("console.cast")
COLUMNS, LINES = 80, 24
PAUSE = 1.2
"""Seconds between two keys of the recording: a person is not as fast as `idle`."""


class Recorder(TypedKeys):
    """Types keys and keeps what is printed, with the time."""

    def __init__(self, keys: list[Key]) -> None:
        super().__init__(keys)
        self.events: list[tuple[float, str, str]] = []

    def printed(self, data: bytes) -> None:
        super().printed(data)
        now, text = self._now / 100, data.decode("utf-8", "replace")
        if self.events and self.events[-1][0] == now:
            text = self.events.pop()[2] + text
        self.events.append((now, "o", text))


def record() -> str:
    """The whole file."""
    keys = [key if key.after is not None else key._replace(after=PAUSE) for key in parse_keys(KEYS.read_text("utf-8"))]
    recorder = Recorder(keys)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        image = Path(folder) / "disk.img"
        with IMAGE.open("rb") as packed, image.open("wb") as whole:
            zstandard.ZstdDecompressor().copy_stream(packed, whole)
        disk = attach(str(image), stack)
        run([AttachedDisk(disk, 2049, "/dev/sda1")], find_profile("amazon-1.05", "x86_64"), console=lambda: recorder)
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": "pvgrub-sim console disk.img"}
    return "".join(json.dumps(line) + "\n" for line in (header, *recorder.events))


def main() -> int:
    """Write the file, or check it."""
    text = record()
    if "--check" in sys.argv[1:]:
        return 0 if CAST.exists() and CAST.read_text("utf-8") == text else 1
    CAST.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
