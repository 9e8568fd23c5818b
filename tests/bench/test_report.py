"""How benchmarks show what they measured."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.report import MIB, OURS, TOOL, Row, as_json, as_svg, publish, table

ROWS = [
    Row("xz: a <kernel>", "pvgrub-sim", OURS, 64 * MIB, [0.5, 0.6, 0.7]),
    Row("xz: a <kernel>", "xz -dc", TOOL, 64 * MIB, [0.64, 0.8, 0.9]),
    Row("start-up", "pvgrub-sim", OURS, 0, [0.1, 0.12]),
]


def test_table_has_the_fastest_first_and_rates() -> None:
    text = table(ROWS)
    assert text.index("* pvgrub-sim") < text.index("$ xz -dc")
    assert "128" in text
    assert "0.600" in text


def test_json_has_every_turn() -> None:
    told = json.loads(as_json("Title", ROWS))
    assert told["rows"][1]["seconds"] == [0.64, 0.8, 0.9]
    assert told["rows"][1]["mib_per_second"] == pytest.approx(100)
    assert told["machine"]["python"]


def test_svg_is_well_formed_and_has_a_bar_a_row() -> None:
    root = ElementTree.fromstring(as_svg("Kernels & payloads", ROWS))
    bars = root.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 1 + 3 + len(ROWS)
    widths = [float(bar.get("width", "0")) for bar in bars[4:]]
    assert widths[0] > widths[1]


def test_publish_writes_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish("Title", ROWS, json_file=tmp_path / "new" / "rows.json", svg_file=tmp_path / "rows.svg")
    assert "Title" in capsys.readouterr().out
    assert json.loads((tmp_path / "new" / "rows.json").read_text())["title"] == "Title"
    assert (tmp_path / "rows.svg").read_text().startswith("<svg")
