"""Gold files: what a report must look like, to the letter, in tests/gold/FORMAT/."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

GOLD = Path(__file__).parents[1] / "gold"
ACTUAL = GOLD / "actual"


def compare(folder: str, name: str, text: str) -> None:
    """Fail unless `text` is what tests/gold/FOLDER/NAME holds; the actual text is then left in tests/gold/actual/."""
    gold = GOLD / folder / name
    expected = gold.read_text(encoding="utf-8") if gold.exists() else ""
    if gold.exists() and text == expected:
        return
    actual = ACTUAL / folder / name
    actual.parent.mkdir(parents=True, exist_ok=True)
    actual.write_text(text, encoding="utf-8")
    diff = "".join(
        difflib.unified_diff(expected.splitlines(True), text.splitlines(True), f"gold/{folder}/{name}", "actual")
    )
    root = GOLD.parents[1]
    pytest.fail(
        f"{diff}\nIf the new text is right, look at it and copy it:\n"
        f"  mkdir -p {gold.parent.relative_to(root)} && cp {actual.relative_to(root)} {gold.relative_to(root)}",
        pytrace=False,
    )
