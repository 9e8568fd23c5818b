"""The html report in a real browser: it is drawn as meant, in light and dark, without asking for anything."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections import Counter
from itertools import accumulate
from pathlib import Path

import pytest

from pvgrub_sim.report import render_report
from tests.report.verdicts import boots, fails, fallback, hostile
from tests.tools import require

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
SHOTS = os.environ.get("PVGRUB_SIM_SCREENSHOTS")
"""A folder in which the screenshots are kept, to be looked at."""


def _chromium(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [require("chromium"), *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_text(render_report([boots(), fallback(), fails(), hostile()], "html"), encoding="utf-8")
    return path


@pytest.mark.parametrize(("theme", "flags"), [("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))])
def test_screenshot(page: Path, theme: str, flags: tuple[str, ...]) -> None:
    shot = page.with_name(f"report-{theme}.png")
    _chromium(page.parent, *flags, "--window-size=1000,6000", f"--screenshot={shot}", page.as_uri())
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        Path(SHOTS, shot.name).write_bytes(shot.read_bytes())
    colours = _colours(shot)
    background = colours.most_common(1)[0][0]
    assert (sum(background) > 600) is (theme == "light"), background
    expected = LIGHT if theme == "light" else DARK
    for what, colour in expected.items():
        assert colours[colour] > 100, f"{what} is not drawn"


LIGHT = {
    "page": (0xF6, 0xF7, 0xF9),
    "verdict that boots": (0x17, 0x6B, 0x3A),
    "fallback": (0x8A, 0x53, 0x00),
    "failure": (0xB3, 0x26, 0x1E),
    "partition": (0xD3, 0xE3, 0xF8),
    "swap": (0xF8, 0xE2, 0xD0),
    "LVM": (0xEA, 0xDC, 0xF7),
    "console": (0x12, 0x16, 0x1D),
}
DARK = {
    "page": (0x11, 0x15, 0x1B),
    "failure": (0xFF, 0x8F, 0x87),
    "partition": (0x1F, 0x37, 0x54),
    "console": (0x0B, 0x0E, 0x13),
}


def test_no_script_runs_and_the_browser_sees_the_whole_page(page: Path) -> None:
    tree = _chromium(page.parent, "--dump-dom", page.as_uri())
    assert tree.count("<article") == 4
    assert tree.count("</svg>") == 3
    assert "<script" not in tree
    assert tree.rstrip().endswith("</html>")
    assert "pvgrub-sim, which tells offline" in tree


MEASURE = """<!DOCTYPE html><html><body><iframe style="width:WIDTHpx;height:800px" srcdoc="PAGE"></iframe><script>
onload = () => {
  const inner = document.querySelector("iframe").contentDocument;
  const box = inner.querySelector(".overview .scroll");
  const cells = [...inner.querySelectorAll(".overview tbody tr:first-child > *")].map(c => c.getBoundingClientRect());
  document.body.dataset.told = [box.scrollWidth - box.clientWidth, cells[1].top >= cells[0].bottom].join();
};
</script></body></html>"""


@pytest.mark.parametrize(("width", "told"), [(360, "0,true"), (1000, "0,false")])
def test_the_overview_fits_a_narrow_screen(page: Path, width: int, told: str) -> None:
    """Cells stand below each other there, and nothing has to be scrolled sideways."""
    quoted = page.read_text("utf-8").replace("&", "&amp;").replace('"', "&quot;")
    wrapper = page.with_name(f"narrow-{width}.html")
    wrapper.write_text(MEASURE.replace("WIDTH", str(width)).replace("PAGE", quoted), encoding="utf-8")
    tree = _chromium(page.parent, "--dump-dom", "--window-size=1200,900", wrapper.as_uri())
    assert f'data-told="{told}"' in tree


def _colours(png: Path) -> Counter[tuple[int, int, int]]:
    """How many of a picture's pixels have which colour (8-bit RGB or RGBA, as Chromium writes it)."""
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    assert depth == 8 and kind in (2, 6)
    size = 3 if kind == 2 else 4
    packed = bytearray()
    offset = 8
    while offset < len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        if name == b"IDAT":
            packed += data[offset + 8 : offset + 8 + length]
        offset += length + 12
    raw = zlib.decompress(packed)
    counts: Counter[tuple[int, int, int]] = Counter()
    before = bytes(width * size)
    for row in range(height):
        start = row * (width * size + 1)
        before = _unfilter(raw[start], raw[start + 1 : start + 1 + width * size], before, size)
        if row % 4 == 0:
            counts.update(zip(before[0::size], before[1::size], before[2::size], strict=True))
    return counts


def _unfilter(kind: int, line: bytes, before: bytes, size: int) -> bytes:
    """One row of a PNG (https://www.w3.org/TR/png-3/#9Filters)."""
    if kind == 0:
        return line
    if kind == 2:
        # Most rows of a page are as the one above.
        return bytes(map(_sum, line, before)) if any(line) else before
    if kind == 1:
        out = bytearray(line)
        for channel in range(size):
            out[channel::size] = bytes(accumulate(line[channel::size], _sum))
        return bytes(out)
    out = bytearray(size) + line
    upper = bytes(size) + before
    for at in range(size, len(out)):
        left, up, corner = out[at - size], upper[at], upper[at - size]
        guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
        out[at] = (out[at] + guess) & 0xFF
    return bytes(out[size:])


def _sum(one: int, other: int) -> int:
    return (one + other) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    """The neighbour nearest to left + up - corner."""
    estimate = left + up - corner
    return min((abs(estimate - left), 0, left), (abs(estimate - up), 1, up), (abs(estimate - corner), 2, corner))[2]
