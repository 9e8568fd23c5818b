"""A picture of what lies where on the disks, as inline SVG with a table that says the same."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from html import escape

from pvgrub_sim.model import LayoutPart, Verdict
from pvgrub_sim.safetext import printable

WIDTH = 960
LANE = 46
GAP = 6
MAX_PARTS = 300
"""Parts of one disk that are drawn; more would be no picture."""
CHARACTER = 7.6
"""Width of a character in the picture, in its units, to tell whether a label fits."""

_HEAD = (
    '<thead><tr><th scope="col">Name</th><th scope="col">What</th><th scope="col" class="number">Start (bytes)</th>'
    '<th scope="col" class="number">Length (bytes)</th><th scope="col" class="number">Size</th></tr></thead>'
)
_DEVICE = re.compile(r"\([^)]*\)")
_KINDS = frozenset({"table", "partition", "extended", "lvm", "swap", "raid", "crypt", "free"})


def pictures(verdict: Verdict, prefix: str) -> list[str]:
    """One figure for each disk of the verdict's layout, as HTML; prefix keeps the ids of several images apart."""
    device = _DEVICE.match(verdict.config or "")
    read_from = device[0] if device else ""
    return [
        _figure(disk, parts, read_from, f"{prefix}-disk-{number}")
        for number, (disk, parts) in enumerate(_disks(verdict.layout))
    ]


def _disks(layout: Sequence[LayoutPart]) -> list[tuple[LayoutPart, list[LayoutPart]]]:
    """The parts of each disk, in the order of their starts."""
    disks: list[tuple[LayoutPart, list[LayoutPart]]] = []
    for part in layout:
        if part.kind == "disk":
            disks.append((part, []))
        elif disks and part.length > 0:
            disks[-1][1].append(part)
    return [(disk, sorted(parts, key=lambda part: (part.start, -part.length))) for disk, parts in disks]


def _figure(disk: LayoutPart, parts: list[LayoutPart], read_from: str, ident: str) -> str:
    shown = parts[:MAX_PARTS]
    scale = _Scale(disk, shown)
    lanes = _lanes(shown)
    height = LANE * (1 + max(lanes, default=-1) + 1)
    boxes = [_box(disk, scale, 0, read_from)]
    boxes += [_box(part, scale, 1 + lane, read_from) for part, lane in zip(shown, lanes, strict=True)]
    title = f"Layout of {disk.name}, {size_words(disk.length)}"
    return "\n".join(
        [
            "<figure>",
            '<div class="scroll">'
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{ident}-title {ident}-desc">',
            f'<title id="{ident}-title">{_text(title)}</title>',
            f'<desc id="{ident}-desc">The table below says the same.</desc>',
            *boxes,
            "</svg></div>",
            f"<figcaption>{_text(title)}. Small parts are drawn larger than they are.</figcaption>",
            *_table([disk, *shown], read_from),
            *([f"<p>… and {len(parts) - len(shown)} more parts.</p>"] if len(parts) > len(shown) else []),
            "</figure>",
        ]
    )


class _Scale:
    """Maps bytes to the picture: proportional, but with a least width between any two borders."""

    def __init__(self, disk: LayoutPart, parts: Sequence[LayoutPart]) -> None:
        borders = {0, disk.length}
        for part in parts:
            borders |= {part.start, part.start + part.length}
        self._borders = sorted(borders)
        steps = max(1, len(self._borders) - 1)
        least = min(40.0, WIDTH / 2 / steps)
        per_byte = (WIDTH - 2 - least * steps) / max(1, self._borders[-1] - self._borders[0])
        self._at = [1.0]
        for left, right in zip(self._borders, self._borders[1:], strict=False):
            self._at.append(self._at[-1] + least + per_byte * (right - left))

    def __call__(self, border: int) -> float:
        """Where a border lies; it must be one of those given."""
        return self._at[bisect_left(self._borders, border)]


def _lanes(parts: Sequence[LayoutPart]) -> list[int]:
    """For each part the first row in which it covers no other; overlapping partitions go below each other."""
    ends: list[int] = []
    lanes: list[int] = []
    for part in parts:
        lane = next((number for number, end in enumerate(ends) if end <= part.start), len(ends))
        ends[lane : lane + 1] = [part.start + part.length]
        lanes.append(lane)
    return lanes


def _box(part: LayoutPart, scale: _Scale, lane: int, read_from: str) -> str:
    left, right = scale(part.start), scale(part.start + part.length)
    top = lane * LANE + 1
    kind = part.kind if part.kind in _KINDS else "disk"
    here = " read" if part.name and part.name == read_from else ""
    lines = [part.name or part.kind, part.label]
    texts = [
        f'<text class="line{row}" x="{left + 8:.1f}" y="{top + 17 + 16 * row}">{_text(line)}</text>'
        for row, line in enumerate(_fit(lines, right - left - 14))
    ]
    tip = f"{part.name or part.kind}: {part.label or part.kind}, {size_words(part.length)}"
    return (
        f'<g class="part {kind}{here}"><title>{_text(tip)}</title>'
        f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{LANE - GAP}" rx="4"/>{"".join(texts)}</g>'
    )


def _fit(lines: Sequence[str], width: float) -> list[str]:
    """The lines, cut to a width; none when not even the first one's beginning fits."""
    room = int(width / CHARACTER)
    if room < len(lines[0]):
        return []
    return [line if len(line) <= room else line[: max(0, room - 1)] + "…" for line in lines if line]


def _table(parts: Sequence[LayoutPart], read_from: str) -> list[str]:
    rows = []
    for part in parts:
        menu = " <em>menu read here</em>" if part.name and part.name == read_from else ""
        rows.append(
            f'<tr><th scope="row">{_text(part.name or "–")}</th><td>{_text(part.label or part.kind)}{menu}</td>'
            f'<td class="number">{part.start:,}</td><td class="number">{part.length:,}</td>'
            f'<td class="number">{size_words(part.length)}</td></tr>'
        )
    return [f'<div class="scroll"><table>{_HEAD}<tbody>', *rows, "</tbody></table></div>"]


def size_words(size: int) -> str:
    """A size in bytes for people: `8.0 GiB`, `512 bytes`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
