"""The time that a question about an image has, where the bytes come from: opening one may take longer than all else.

Not an argument of whoever reads, since each layer of a disk would have to hand it on to those below; of this thread
and task alone, so that several questions can be asked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from pvgrub_sim.budget import Budget
from pvgrub_sim.typed import Final

_budget: Final[ContextVar[Budget | None]] = ContextVar("budget", default=None)


def keep_to(budget: Budget) -> Callable[[], None]:
    """Have check_time() look at a budget from now on; returns what ends that."""
    token = _budget.set(budget)
    return lambda: _budget.reset(token)


def check_time() -> None:
    """Raise GivenUp when the time is over that the question has; for loops that an image makes long."""
    budget = _budget.get()
    if budget is not None:
        budget.check()
