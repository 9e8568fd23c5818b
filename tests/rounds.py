"""How often a test does the same again, with other seeds or at other moments: the one place that decides it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")

ALL = bool(os.environ.get("CI"))
"""Whether every repetition is run, as in CI."""
LINE = "repetitions are few outside CI, all kinds of cases are run: CI=true runs every one (tests/rounds.py)"


def rounds(ci: int, *, otherwise: int) -> int:
    """Rounds of a test that repeats one thing: `ci` where CI is set, `otherwise` elsewhere.

    Only of repetitions: what is another kind of case is run everywhere.
    """
    return ci if ALL else otherwise


def spread(values: Sequence[Value], *, otherwise: int) -> Sequence[Value]:
    """All values where CI is set, elsewhere so many of them: the first, the last and what lies evenly between them."""
    if ALL or len(values) <= otherwise:
        return values
    return [values[index * (len(values) - 1) // (otherwise - 1)] for index in range(otherwise)]
