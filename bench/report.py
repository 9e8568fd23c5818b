"""What the benchmarks share: measured rows, and how they are shown: a table, JSON, a chart in SVG."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

MIB = 1 << 20
OURS, TOOL, OTHER = "ours", "tool", "other"
COLOURS = {OURS: "#2166ac", TOOL: "#b35806", OTHER: "#9a9a9a"}
WORDS = {OURS: "used by pvgrub-sim", TOOL: "command-line tool", OTHER: "other library"}


@dataclass
class Row:
    """One contestant in one discipline, measured several times.

    group: what is done, the same work for all of its rows. kind: OURS, TOOL or OTHER. size: bytes worked on, for a
    rate; 0 for none. seconds: of CPU where `clock` is `cpu`, else of the wall clock.
    """

    group: str
    name: str
    kind: str = OTHER
    size: int = 0
    seconds: list[float] = field(default_factory=list)
    clock: str = "cpu"

    @property
    def median(self) -> float:
        """The middle of the turns, in seconds."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The shortest turn, in seconds: the one least disturbed."""
        return min(self.seconds)

    @property
    def rate(self) -> float:
        """MiB a second, by the shortest turn; 0 without a size."""
        return self.size / MIB / self.best if self.size and self.best else 0.0


def groups(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by group, in the order in which the groups appear, the fastest first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return {name: sorted(members, key=lambda row: row.best) for name, members in found.items()}


def table(rows: Sequence[Row]) -> str:
    """A table for people: one block a group."""
    width = max([len(row.name) for row in rows] + [10])
    lines = []
    for name, members in groups(rows).items():
        lines += ["", f"{name} ({members[0].clock} seconds)"]
        lines.append(f"    {'':<{width}}  {'best':>8}  {'median':>8}  {'MiB/s':>8}")
        for row in members:
            mark = {OURS: "*", TOOL: "$"}.get(row.kind, " ")
            rate = f"{row.rate:>8.0f}" if row.rate else f"{'':>8}"
            lines.append(f"  {mark} {row.name:<{width}}  {row.best:>8.3f}  {row.median:>8.3f}  {rate}")
    lines += ["", f"* {WORDS[OURS]}   $ {WORDS[TOOL]}"]
    return "\n".join(lines).lstrip("\n")


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else ""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": model,
        "cpus": os.cpu_count(),
    }


def as_json(title: str, rows: Sequence[Row]) -> str:
    """All that was measured, turn by turn."""
    measured = [{**asdict(row), "best": row.best, "median": row.median, "mib_per_second": row.rate} for row in rows]
    return json.dumps({"title": title, "machine": machine(), "rows": measured}, indent=1) + "\n"


def as_svg(title: str, rows: Sequence[Row]) -> str:
    """A chart of bars: the rate of each row, or its time where it has no rate, group below group."""
    left, bar, gap, width = 230, 16, 24, 860
    room = width - left - 150
    y = 64
    parts = []
    for name, members in groups(rows).items():
        parts.append(f'<text x="12" y="{y + 12}" font-weight="bold">{escape(name)}</text>')
        y += 20
        rated = all(row.rate for row in members)
        most = max((row.rate if rated else row.best) for row in members) or 1.0
        for row in members:
            value = row.rate if rated else row.best
            label = f"{value:,.0f} MiB/s" if rated else f"{value * 1000:,.0f} ms"
            length = max(value / most * room, 1)
            parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(row.name)}</text>')
            size = f'width="{length:.1f}" height="{bar - 3}"'
            parts.append(f'<rect x="{left}" y="{y}" {size} fill="{COLOURS[row.kind]}"/>')
            parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 11}">{label}</text>')
            y += bar
        y += gap
    legend = []
    x = 12
    for kind in (OURS, TOOL, OTHER):
        legend.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{COLOURS[kind]}"/>')
        legend.append(f'<text x="{x + 18}" y="46">{WORDS[kind]}</text>')
        x += 190
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#222" role="img">'
    )
    background = f'<rect width="{width}" height="{y}" fill="#fff"/>'
    words = escape(title)
    heading = f'<title>{words}</title><text x="12" y="24" font-size="16" font-weight="bold">{words}</text>'
    return "\n".join([head, background, heading, *legend, *parts, "</svg>", ""])


def publish(title: str, rows: Sequence[Row], *, json_file: Path | None = None, svg_file: Path | None = None) -> None:
    """Print the table, and write the files that are asked for."""
    sys.stdout.write(f"{title}\n\n{table(rows)}\n")
    for path, text in ((json_file, as_json), (svg_file, as_svg)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(title, rows), "utf-8")
            sys.stdout.write(f"written: {path}\n")
