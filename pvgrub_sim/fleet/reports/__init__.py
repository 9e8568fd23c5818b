"""Reports on a store: for people, for spreadsheets, for CI servers, and the difference between two of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module

from pvgrub_sim.errors import UsageError
from pvgrub_sim.typed import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pvgrub_sim.fleet.difference import ScanDifference
    from pvgrub_sim.fleet.store import Store

REPORTS: dict[str, str] = {
    "text": "text",
    "html": "html",
    "jsonl": "rows",
    "csv": "rows",
    "parquet": "rows",
    "junit": "cases",
    "sarif": "cases",
}
"""Format: module of this package."""

FLEET_FORMATS = tuple(REPORTS)
"""The formats that fleet_report() knows."""


class FleetReporter(Protocol):
    """One or several formats."""

    def report(self, store: Store, format: str, changes: ScanDifference | None) -> Iterator[bytes]:
        """The report on a store, piece by piece; changes: what is new against an older one, where that is wanted."""
        ...


def fleet_report(
    store: str | os.PathLike[str], format: str = "text", *, older: str | os.PathLike[str] | None = None
) -> Iterator[bytes]:
    """The report on what a scan has seen, piece by piece, so that one of a million images fits in memory.

    store: the file that scan() wrote. format: one of FLEET_FORMATS. older: another store, against which it is
    compared. Raises UsageError for what is no store, and for a format that is not known or cannot be had.
    """
    from pvgrub_sim.fleet.store import Store

    if format not in REPORTS:
        raise UsageError(f"no report format {format!r}: one of {', '.join(FLEET_FORMATS)}")
    changes = compare_scans(older, store) if older is not None else None
    reporter = cast(FleetReporter, import_module(f"{__name__}.{REPORTS[format]}"))
    with closing(Store(store)) as opened:
        yield from reporter.report(opened, format, changes)


def compare_scans(older: str | os.PathLike[str], newer: str | os.PathLike[str]) -> ScanDifference:
    """What a newer scan says that an older one did not; raises UsageError for what is no store.

    older, newer: files that scan() wrote. Images are compared by their names below the folders that were scanned.
    """
    from pvgrub_sim.fleet.difference import difference
    from pvgrub_sim.fleet.store import Store

    with closing(Store(older)) as before, closing(Store(newer)) as after:
        return difference(before.results(verdicts=False), after.results(verdicts=False))
