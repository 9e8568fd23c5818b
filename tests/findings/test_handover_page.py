"""docs/after-handover.md: its table is what the rules are tried with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pvgrub_sim.findings import all_rules
from tests.findings.cases import HITS, MISSES

PAGE = (Path(__file__).parents[2] / "docs" / "after-handover.md").read_text("utf-8")


def asked(image: str, options: dict[str, Any]) -> str:
    """An image with its options, as the page has them."""
    words = [
        "--ami" if name == "ami" else f"--{name.replace('_', '-')} {value}"
        for name, value in options.items()
        if name != "config"
    ]
    return " ".join([image, *words])


def test_the_table_has_what_the_rules_are_tried_with() -> None:
    rows: dict[str, tuple[list[tuple[str, str]], str]] = {}
    for line in re.findall(r"(?m)^\| \[.*\|$", PAGE):
        rule, _, hits, _, miss = (cell.strip() for cell in line.strip("|").split(" | "))
        found = re.fullmatch(r"\[([\w-]+)\]\(rules\.md#\1\)", rule)
        assert found is not None, rule
        rows[found[1]] = (re.findall(r"`([^`]+)`: (\w+)", hits), miss.strip("`"))
    outside = [rule.id for rule in all_rules().values() if rule.family == "outside"]
    assert list(rows) == outside
    for rule in outside:
        hits, miss = rows[rule]
        assert hits == [(asked(case.image, case.options), case.severity) for case in HITS[rule]]
        assert miss == asked(*MISSES.get(rule, ("images/boots", {})))
