"""docs/fidelity.md: what its rows name exists."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "fidelity.md"
HEADER = ["behaviour", "source", "function", "cases"]


def rows() -> list[list[str]]:
    """The cells of every row of every table, without heads and rules."""
    found = []
    for line in PAGE.read_text("utf-8").splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == len(HEADER), line
        if cells != HEADER and not set(line) <= set("|- "):
            found.append(cells)
    return found


@cache
def recorded(area: str) -> frozenset[str]:
    file, field = ("sessions.jsonl", "name") if area == "sessions" else ("cases.jsonl", "case")
    lines = (ROOT / "fixtures" / "conformance" / area / file).read_text("utf-8").splitlines()
    return frozenset(json.loads(line)[field] for line in lines)


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_row_names_what_exists(row: list[str]) -> None:
    behaviour, source, function, cases = row
    assert behaviour
    assert re.fullmatch(r"`[^`]+`", source), "one source, in backquotes"
    module, _, name = function.strip("`").partition(":")
    target: object = import_module(f"pvgrub_sim.{module}")
    for part in name.split("."):
        target = getattr(target, part)
    named = re.findall(r"`([^`]+)`", cases)
    assert named, "no case"
    for case in named:
        path, _, test = case.partition("::")
        if test:
            assert test in names_in(path), case
        else:
            area, _, recorded_name = case.partition("/")
            assert recorded_name in recorded(area), case


def test_there_are_rows_for_every_area() -> None:
    assert "## Menu and commands" in PAGE.read_text("utf-8")
    assert rows()
