"""The store of a scan: one SQLite file, written by one scan at a time and read by anyone meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pvgrub_sim import __version__
from pvgrub_sim.errors import UsageError
from pvgrub_sim.fleet import schema
from pvgrub_sim.fleet.kept import bound, bound_reading, check_schema, result_of_row, scan_of_row
from pvgrub_sim.fleet.values import Job, Look, ScanResult, ScanSettings, Target
from pvgrub_sim.media.sources import kept_source
from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple

_COLUMNS = ScanResult._fields[:-1]
_SELECT = f"SELECT {', '.join(_COLUMNS)}"
_INSERT = (
    f"INSERT OR REPLACE INTO looks ({', '.join(_COLUMNS)}, settings, scan, verdict) "
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 3))})"
)
_UP_TO_DATE = """
    EXISTS (SELECT 1 FROM looks WHERE looks.source = targets.key AND looks.version = versions.version
        AND looks.fingerprint = targets.fingerprint AND looks.fingerprint != '' AND looks.tool = :tool
        AND looks.settings = :settings AND (looks.state != 'unreadable' OR looks.scan = :scan))
"""
"""A look that needs no other: same image, same tool, same settings. What could not be read is tried again by the next
scan, but not by the rest of the same one."""


class Pending(NamedTuple):
    """A look that is to be done: what is asked of a worker, and of which target."""

    job: Job
    target: Target


def _key(target: Target) -> str:
    """What an image is found again by."""
    return readable(kept_source(target.source))


def readable(source: str) -> str:
    """A source as text that SQLite takes: bytes of a file's name that are no UTF-8 become escapes."""
    return source if source.isascii() else source.encode("utf-8", "backslashreplace").decode("utf-8")


class Store:
    """A store that is open.

    path: the file; None keeps all in memory. write: for a scan; the file is made if it is not there. Raises UsageError
    when it is no store, or when another scan is writing to it.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, write: bool = False) -> None:
        self.path = ":memory:" if path is None else os.fspath(path)
        self.scan = 0
        self._lock: int | None = None
        with self.errors():
            if path is not None and write:
                self._take_lock()
            uri = path is not None and not write
            name = f"{Path(self.path).absolute().as_uri()}?mode=ro" if uri else self.path
            if uri and not Path(self.path).is_file():
                raise UsageError(f"{self.path}: no such file")
            try:
                self._base = sqlite3.connect(name, uri=uri, isolation_level=None)
                bound(self._base)
                if uri:
                    bound_reading(self._base, self.path)
                self._base.execute("PRAGMA temp_store = FILE")
                self._check(write)
            except BaseException:  # Ctrl-C as well; it is passed on
                self._release_lock()
                raise

    def close(self) -> None:
        """Write out what is left and close the file."""
        with self.errors():
            self._base.close()
        self._release_lock()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What SQLite says becomes a UsageError that names the store."""
        try:
            yield
        except sqlite3.Error as error:
            raise UsageError(f"{self.path}: {error}") from None
        except OSError as error:
            raise UsageError(f"{self.path}: {(error.strerror or str(error)).lower()}") from None

    def _take_lock(self) -> None:
        # flock(), which does not touch the locks that SQLite takes; held until SQLite has closed the file.
        self._lock = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
        if not stat.S_ISREG(os.fstat(self._lock).st_mode):
            self._release_lock()
            raise UsageError(f"{self.path}: is no regular file")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release_lock()
            raise UsageError(f"{self.path}: another scan is writing to it") from None

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check(self, write: bool) -> None:
        pragma = self._base.execute
        kind, version = pragma("PRAGMA application_id").fetchone()[0], pragma("PRAGMA user_version").fetchone()[0]
        if write and not kind and not pragma("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            pragma("PRAGMA journal_mode = WAL")
            self._base.executescript(
                f"BEGIN; PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.VERSION};"
                f"{schema.TABLES} COMMIT;"
            )
        elif kind != schema.APPLICATION_ID:
            raise UsageError(f"{self.path}: is no store of `pvgrub-sim scan`")
        elif version != schema.VERSION:
            raise UsageError(f"{self.path}: a store of version {version}, and this pvgrub-sim knows {schema.VERSION}")
        else:
            check_schema(self._base, self.path)
        if write:
            # A killed scan loses nothing; when the machine loses power, the last looks may have to be done again.
            pragma("PRAGMA synchronous = NORMAL")
            self._base.executescript(schema.TARGETS)

    # --- a scan

    def begin(self, targets: Iterable[Target], versions: Sequence[str], settings: ScanSettings, request: str) -> int:
        """Note what a scan is about; returns how many targets there are. A target that comes twice counts once.

        request: what was asked for; a scan that was not finished and asked for the same is gone on with.
        """
        rows = (
            (_key(target), json.dumps(target.source), readable(target.name), readable(target.origin),
             target.fingerprint, target.region, target.sniff, readable(target.problem))
            for target in targets
        )  # fmt: skip
        with self.errors():
            run = self._base.execute
            run("BEGIN")
            try:
                run("DELETE FROM targets")
                run("DELETE FROM versions")
                self._base.executemany("INSERT OR IGNORE INTO targets VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
                self._base.executemany("INSERT INTO versions VALUES (NULL, ?)", [(word,) for word in versions])
                last = run("SELECT id, finished, request, tool FROM scans ORDER BY id DESC LIMIT 1").fetchone()
                if last and last[1] is None and last[2:] == (request, __version__):
                    self.scan = last[0]
                else:
                    values = (time.time(), __version__, request)
                    row = run("INSERT INTO scans (started, tool, request) VALUES (?, ?, ?)", values)
                    self.scan = row.lastrowid or 0
                self._names = {"scan": self.scan, "tool": __version__, "settings": settings.decisive}
                run("COMMIT")
            except BaseException:  # Ctrl-C as well; it is passed on
                run("ROLLBACK")
                raise
            return int(run("SELECT count(*) FROM targets").fetchone()[0])

    def clear(self) -> None:
        """Forget all that was seen."""
        with self.errors():
            self._base.executescript("BEGIN; DELETE FROM looks; DELETE FROM scans; COMMIT;")

    def count_pending(self) -> int:
        """How many looks are to be done; the others are taken up into this scan as they are."""
        with self.errors():
            query = f"SELECT count(*) FROM targets, versions WHERE NOT {_UP_TO_DATE}"
            return int(self._base.execute(query, self._names).fetchone()[0])

    def pending(self, page: int = 1024) -> Iterator[Pending]:
        """The looks that are to be done, in the order of targets and versions; the store may be written meanwhile."""
        fields = "targets.id, source, name, origin, fingerprint, region, sniff, problem, version"
        query = (
            f"SELECT {fields} FROM targets, versions WHERE targets.id > :after AND targets.id <= :after + :page "
            f"AND NOT {_UP_TO_DATE} ORDER BY targets.id, position"
        )
        with self.errors():
            last = self._base.execute("SELECT coalesce(max(id), 0) FROM targets").fetchone()[0]
        for after in range(0, last, page):
            with self.errors():
                rows = self._base.execute(query, {**self._names, "after": after, "page": page}).fetchall()
            for _, source, name, origin, fingerprint, region, sniff, problem, version in rows:
                target = Target(json.loads(source), name, origin, fingerprint, region, bool(sniff), problem)
                yield Pending(Job(target.source, version, region, bool(sniff)), target)

    def write(self, results: Sequence[ScanResult]) -> None:
        """Keep some results, all or none of them."""
        settings, scan = self._names["settings"], self.scan
        rows = [
            (*result[:14], json.dumps(dict(result.rules)), *result[15:20], settings, scan, result.verdict_json)
            for result in results
        ]
        with self.errors():
            self._base.execute("BEGIN")
            try:
                self._base.executemany(_INSERT, rows)
                self._base.execute("COMMIT")
            except BaseException:  # Ctrl-C as well; it is passed on
                self._base.execute("ROLLBACK")
                raise

    def finish(self) -> None:
        """The scan is done: what was found under the same words before, and is no more, is marked as gone."""
        with self.errors():
            self._base.execute(
                "UPDATE looks SET gone = 1 WHERE origin IN (SELECT origin FROM targets) "
                "AND source NOT IN (SELECT key FROM targets) AND gone = 0"
            )
            self._base.execute("UPDATE looks SET gone = 0 WHERE gone = 1 AND source IN (SELECT key FROM targets)")
            self._base.execute("UPDATE scans SET finished = ? WHERE id = ?", (time.time(), self.scan))

    def statuses(self) -> dict[str, int]:
        """How many looks of this scan's targets and versions have which ScanResult.status."""
        return self._count(
            "looks WHERE source IN (SELECT key FROM targets) AND version IN (SELECT version FROM versions)"
        )

    # --- reading

    def _count(self, where: str) -> dict[str, int]:
        query = f"SELECT state, outcome, boots_default, count(*) FROM {where} GROUP BY 1, 2, 3"
        counts: dict[str, int] = {}
        with self.errors():
            for state, outcome, boots_default, count in self._base.execute(query):
                word = status(state, outcome, boots_default)
                counts[word] = counts.get(word, 0) + count
        return counts

    def results(self, *, verdicts: bool = True) -> Iterator[ScanResult]:
        """All that the store knows of images that are still there, by name and version.

        verdicts: False leaves `verdict_json` empty, which is faster.
        """
        last = "verdict" if verdicts else "''"
        query = f"{_SELECT}, {last} FROM looks WHERE gone = 0 ORDER BY name, source, version"
        with self.errors():
            for row in self._base.execute(query):
                yield result_of_row(row, self.path)

    def scans(self) -> list[dict[str, Any]]:
        """The scans that were done: started, finished (seconds since 1970, or None), tool, request."""
        with self.errors():
            rows = self._base.execute("SELECT started, finished, tool, request FROM scans ORDER BY id").fetchall()
        return [scan_of_row(row, self.path) for row in rows]


def status(state: str, outcome: str, boots_default: bool | int) -> str:
    """ScanResult.status of these fields."""
    if state != "verdict":
        return state
    if outcome != "boots":
        return "down"
    return "boots" if boots_default else "fallback"


def result_of(pending: Pending, seen: Look) -> ScanResult:
    """What is kept of a look."""
    target = pending.target
    return ScanResult(
        _key(target), pending.job.version, target.name, target.origin, target.fingerprint, target.region,
        seen.state, seen.error, seen.outcome, seen.boots_default, seen.entry, seen.profile, seen.arch, seen.aki,
        _rules(seen), seen.kernel, seen.payload, seen.headline, seen.seconds, seen.tool, seen.verdict,
    )  # fmt: skip


def _rules(seen: Look) -> dict[str, str]:
    """The gravest severity of each rule."""
    order = ("error", "warning", "note")
    rules: dict[str, str] = {}
    for rule, severity in sorted(seen.rules, key=lambda pair: order.index(pair[1]) if pair[1] in order else 3):
        rules.setdefault(rule, severity)
    return rules
