"""docs/console.md: its examples, and the recorded session beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pyte

from pvgrub_sim import boot, read_keys
from pvgrub_sim.keys import CODES
from tests.images import unpack_sparse

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "console.md").read_text("utf-8")


def test_the_recorded_session_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "record_console.py", "--check"], check=False)
    assert done.returncode == 0, "python docs/record_console.py writes it anew"


def test_the_recorded_session_is_a_cast_that_boots(tmp_path: Path) -> None:
    header, *events = map(json.loads, (ROOT / "docs" / "console.cast").read_text("utf-8").splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert [time for time, _, _ in events] == sorted(time for time, _, _ in events)
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    seen = set()
    for _, kind, text in events:
        assert kind == "o"
        stream.feed(text)
        seen |= {line.rstrip() for line in screen.display}
    assert "grubdom> kernel /boot/vmlinuz-4.1.10-17.31.amzn1.x86_64" in seen
    image = unpack_sparse(ROOT / "fixtures" / "images" / "demo.img.zst", tmp_path / "disk.img")
    verdict = boot(image, keys=read_keys(ROOT / "docs" / "console.keys"), findings=False)
    assert verdict.outcome == "boots"
    assert verdict.initrd is not None


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    keys, command, expected = re.findall(
        r'```text title="second.keys"\n(.*?)```.*?```console\n\$ pvgrub-sim ([^\n]*)\n(.*?)```', PAGE, re.S
    )[0]
    unpack_sparse(ROOT / "fixtures" / "images" / "demo.img.zst", tmp_path / "disk.img")
    (tmp_path / "second.keys").write_text(keys, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pvgrub_sim", *command.split()],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (expected, 0)


def test_the_page_names_every_key() -> None:
    for name in CODES:
        assert f"`{name}`" in PAGE or name.startswith("ctrl-"), name
