"""What a store says, checked: the file may come from somebody else, and no SQL of theirs runs."""

from __future__ import annotations

import json
import os
import sqlite3

from pvgrub_sim.errors import UsageError
from pvgrub_sim.fleet import schema
from pvgrub_sim.fleet.values import ScanResult, ScanState
from pvgrub_sim.typed import Any, Final

LONGEST: Final = 72 << 20
"""Bytes of a field: a verdict has 64 MiB at the most."""
FREE_STEPS: Final = 100_000_000
STEPS_A_BYTE: Final = 20
"""Steps of SQLite's machine that a report may take, and more for each byte of the file: a query takes less than one."""
EVERY: Final = 1_000_000
"""Steps between two looks at how many there were."""
LATEST: Final = float(1 << 36)
"""Seconds since 1970 that a scan may have begun."""

_SCAN_FIELDS: Final = ("started", "finished", "tool", "request")
_KINDS: Final = {
    tuple({"boots_default": int, "entry": entry, "seconds": seconds}.get(name, str) for name in ScanResult._fields)
    for entry in (int, type(None))
    for seconds in (float, int)
}
"""The types of a row's fields, which SQLite itself does not hold to."""


def bound(base: sqlite3.Connection) -> None:
    """No field is longer than any of ours, and functions that a file names are not run."""
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    base.execute("PRAGMA trusted_schema = OFF")


def bound_reading(base: sqlite3.Connection, path: str) -> None:
    """Trees of a damaged file that lead back into themselves have an end: sqlite3.OperationalError."""
    most = FREE_STEPS + STEPS_A_BYTE * os.stat(path).st_size  # noqa: PTH116  (of the file that was opened already)
    steps = 0

    def look() -> bool:
        nonlocal steps
        steps += EVERY
        return steps > most

    base.set_progress_handler(look, EVERY)


def check_schema(base: sqlite3.Connection, path: str) -> None:
    """Make sure that there are the tables of a store and nothing else, view or trigger; raises UsageError."""
    wanted = {statement.strip() for statement in schema.TABLES.split(";") if statement.strip()}
    rows = base.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    # ANALYZE makes tables of its own.
    found = {text for kind, name, text in rows if kind != "table" or not str(name).startswith("sqlite_stat")}
    if found != wanted:
        raise UsageError(f"{path}: is no store of `pvgrub-sim scan`: it has other tables")


def result_of_row(row: tuple[Any, ...], path: str) -> ScanResult:
    """The result that a row of `looks` is; raises UsageError, which names the store, for one that makes no sense."""
    result = ScanResult(*row)
    try:
        if tuple(map(type, row)) not in _KINDS or not abs(result.seconds) < LATEST:
            raise ValueError("fields of other types")
        rules = json.loads(row[14])
        if not isinstance(rules, dict) or not all(isinstance(severity, str) for severity in rules.values()):
            raise ValueError("rules that are none")
        return result._replace(state=ScanState(result.state), boots_default=bool(result.boots_default), rules=rules)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is damaged: what it says of {str(row[2])[:200]!r}: {str(error)[:200]}") from None


def scan_of_row(row: tuple[Any, ...], path: str) -> dict[str, Any]:
    """The same for a row of `scans`."""
    scan = dict(zip(_SCAN_FIELDS, row, strict=True))
    times = [scan["started"]] if scan["finished"] is None else [scan["started"], scan["finished"]]
    texts = isinstance(scan["tool"], str) and isinstance(scan["request"], str)
    if not texts or not all(isinstance(one, (int, float)) and 0 <= one < LATEST for one in times):
        raise UsageError(f"{path}: is damaged: what it says of its scans")
    return scan
