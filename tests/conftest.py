"""What all tests share: skipped ones are told at the end, those with one reason in one line."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter

import pytest

from tests.rounds import ALL, LINE

# The tools remember filesystems that they have seen, and would take the UUIDs of one test for those of another.
os.environ["BLKID_FILE"] = os.devnull
# What runs in a shell's background ignores the one, what nohup runs the other; and so would all that the tests start
# and then stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


LONGEST = (
    "tests/test_tour.py::test_tour",
    "tests/fleet/test_dask.py::test_workers_killed_at_random_moments",
    "tests/fleet/test_workers.py::test_workers_killed_at_random",
    "tests/fleet/test_resume.py::test_killed_at_random_moments",
    "tests/hostile/test_interrupt.py",
)
"""What takes longest: it is begun first, since at the end one processor would wait for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, all others in their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """All that the tests are made of stays to the end: nobody has to look through it for garbage again and again."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a reason, most frequent first; before them what is run less often than in CI."""
    if not ALL:
        terminalreporter.section("repetitions")
        terminalreporter.line(LINE)
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section("skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} {reason}")
