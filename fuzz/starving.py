"""A survey that may look at less than it needs, so that it gives up anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random
from unittest.mock import patch

from pvgrub_sim.survey.area import NAMES, READER_UNITS, RUNS, UNITS, Budget

_LEAST = 100
"""Units with which a reader that is kept open is made: the survey, which has less, has read the same by then."""


def short_of(random: Random) -> AbstractContextManager[None]:
    """Budgets of chance while a block runs."""
    return budgets(
        units=int(2 ** random.uniform(0, 14)),
        kept=int(2 ** random.uniform(7, 13)) if random.random() < 0.5 else None,
        names=int(2 ** random.uniform(0, 10)) if random.random() < 0.5 else NAMES,
        runs=int(2 ** random.uniform(0, 10)) if random.random() < 0.3 else RUNS,
    )


@contextmanager
def budgets(*, units: int = UNITS, kept: int | None = None, names: int = NAMES, runs: int = RUNS) -> Iterator[None]:
    """Other limits while a block runs.

    units: what a volume may cost; all others in proportion, but for kept: of a reader that is kept open. names, runs:
    as in survey/area.py.
    """
    begin = Budget.__init__

    def smaller(self: Budget, wanted: int = UNITS, total: Budget | None = None) -> None:
        given = max(1, wanted * units // UNITS)
        if wanted == READER_UNITS and kept is not None:
            given = max(kept, _LEAST)
        begin(self, given, total)
        self.names, self.runs = names, runs

    with patch.object(Budget, "__init__", smaller):
        yield
