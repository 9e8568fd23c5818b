"""The reports for programs and spreadsheets: a line or row an image and version.

jsonl has everything, unchanged; csv and parquet have the facts that one counts by, csv in a form that may be printed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from pvgrub_sim.errors import UsageError
from pvgrub_sim.fleet.difference import ScanDifference
from pvgrub_sim.fleet.store import Store
from pvgrub_sim.fleet.values import ScanResult
from pvgrub_sim.safetext import disarmed_json, one_line
from pvgrub_sim.typed import Any

COLUMNS = (
    "source", "name", "version", "status", "outcome", "boots_default", "entry", "profile", "arch", "aki", "region",
    "kernel", "payload", "rules", "headline", "error", "fingerprint", "seconds", "tool",
)  # fmt: skip
CHANGE_COLUMNS = ("change", "name", "version", "before", "after", "headline", "new_findings", "gone_findings")
_NUMBERS = {"boots_default", "entry", "seconds"}
_OBEYED = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for a formula at the beginning of a cell (OWASP, "CSV Injection")."""
_ROWS_A_GROUP = 20_000


def report(store: Store, format: str, changes: ScanDifference | None) -> Iterator[bytes]:
    """As FleetReporter.report()."""
    if format == "jsonl":
        lines = map(_object, store.results()) if changes is None else _changes(changes)
        for line in lines:
            yield disarmed_json(json.dumps(line)).encode("ascii") + b"\n"
    elif format == "csv":
        if changes is None:
            yield from _csv(COLUMNS, (_row(result) for result in store.results(verdicts=False)))
        else:
            yield from _csv(CHANGE_COLUMNS, _changes(changes))
    else:
        if changes is not None:
            raise UsageError("there is no parquet report of a difference: take jsonl or csv")
        yield from _parquet(store)


def _object(result: ScanResult) -> dict[str, Any]:
    """A line of jsonl (docs/fleets.md)."""
    return {
        "source": result.source,
        "version": result.version,
        "name": result.name,
        "region": result.region or None,
        "fingerprint": result.fingerprint,
        "status": result.status,
        "seconds": result.seconds,
        "tool": result.tool,
        "verdict": json.loads(result.verdict_json) if result.verdict_json else None,
        "error": result.error or None,
    }


def _row(result: ScanResult) -> dict[str, Any]:
    told = result._asdict()
    return {name: told[name] for name in COLUMNS if name in told} | {
        "status": result.status,
        "rules": " ".join(result.rules),
    }


def _changes(changes: ScanDifference) -> Iterator[dict[str, Any]]:
    for kind, rows in (("worse", changes.broken), ("better", changes.mended), ("findings", changes.found)):
        for row in rows:
            yield {"change": kind, **row._asdict()}
    for kind, names in (("added", changes.added), ("removed", changes.removed)):
        for name in names:
            yield dict.fromkeys(CHANGE_COLUMNS, None) | {"change": kind, "name": name}


def _csv(columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """RFC 4180; a cell that a spreadsheet would obey begins with an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in columns])
        if buffer.tell() > 1 << 16:
            yield buffer.getvalue().encode("utf-8", "backslashreplace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "backslashreplace")


def _cell(name: str, value: Any) -> Any:
    if name in _NUMBERS or value is None:
        return value
    text = one_line(" ".join(value) if isinstance(value, tuple) else str(value))
    return f"'{text}" if text.startswith(_OBEYED) else text


def _parquet(store: Store) -> Iterator[bytes]:
    """Apache Parquet, by pyarrow, a group of rows at a time; the verdict is a column of JSON text."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("parquet needs the package pyarrow: pip install 'pvgrub-sim[parquet]'") from None
    kinds = {"boots_default": pyarrow.bool_(), "entry": pyarrow.int64(), "seconds": pyarrow.float64()}
    names = [*COLUMNS, "verdict"]
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    written = _Pieces()
    with pyarrow.parquet.ParquetWriter(written, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for result in store.results():
            rows.append(_row(result) | {"verdict": result.verdict_json or None})
            if len(rows) == _ROWS_A_GROUP:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
                rows.clear()
                yield written.take()
        writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
    yield written.take()


class _Pieces(io.RawIOBase):
    """A file to write to, whose content is taken away bit by bit."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How much was written in all."""
        return self._length

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self._pieces.append(bytes(data))
        self._length += len(self._pieces[-1])
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
