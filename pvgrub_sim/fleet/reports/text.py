"""The report for people: numbers, tables, and what does not boot."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from pvgrub_sim.fleet.difference import ScanChange, ScanDifference
from pvgrub_sim.fleet.store import Store
from pvgrub_sim.fleet.summary import FleetSummary, summarise
from pvgrub_sim.fleet.values import STATUSES, ScanResult
from pvgrub_sim.safetext import one_line

BAR = 30
MOST = 15
"""Lines of a table."""
SHOWN = 40
"""Images that are named one by one."""
_CHANGES = 200


def report(store: Store, format: str, changes: ScanDifference | None) -> Iterator[bytes]:
    """As FleetReporter.report()."""
    lines = _difference(changes) if changes is not None else _whole(store)
    for line in lines:
        yield (one_line(line) + "\n").encode("utf-8", "backslashreplace")


def _whole(store: Store) -> Iterator[str]:
    summary = summarise(store.results(verdicts=False))
    yield headline(summary)
    if when := _when(store):
        yield f"  {when}"
    yield ""
    yield from _bars([(words, summary.statuses.get(word, 0)) for word, words in STATUSES.items()], summary.looks)
    if summary.no_images:
        yield f"  (and {_count(summary.no_images, 'file')} in the folders that are no disk images)"
    yield from _versions(summary)
    rules = [(f"{row.severity:<8}{row.rule}", row.images) for row in summary.rules]
    regions = [(name, sum(counts.values())) for name, counts in summary.regions.items()]
    for title, rows, whole in (
        ("Rules, and how many images they speak of", rules, summary.images),
        ("Kernels", list(summary.kernels.items()), summary.looks),
        ("Payloads", list(summary.payloads.items()), summary.looks),
        ("Regions", regions, summary.looks),
    ):
        if rows:
            yield from ("", title)
            yield from _bars(rows[:MOST], whole)
            if len(rows) > MOST:
                yield f"  and {len(rows) - MOST} more"
    yield from _failing(store, summary)


def headline(summary: FleetSummary) -> str:
    """`10,000 images, 2 versions of PV-GRUB: 12,345 of 20,000 boot.`"""
    versions = len(summary.versions)
    booting = summary.statuses.get("boots", 0)
    with_versions = f", {_count(versions, 'version')} of PV-GRUB" if versions > 1 else ""
    return f"{_count(summary.images, 'image')}{with_versions}: {booting:,} of {summary.looks:,} boot."


def _when(store: Store) -> str:
    scans = store.scans()
    if not scans:
        return ""
    last = scans[-1]
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(last["finished"] or last["started"]))
    return f"last scan finished {day}" if last["finished"] else f"scan of {day} is not finished: run it again to go on"


def _bars(rows: Iterable[tuple[str, int]], whole: int) -> Iterator[str]:
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    for name, count in rows:
        share = count / whole if whole else 0.0
        bar = "#" * max(round(share * BAR), 1 if count else 0)
        yield f"  {name:<{width}}  {count:>9,}  {share:>6.1%}  {bar}".rstrip()


def _versions(summary: FleetSummary) -> Iterator[str]:
    if not summary.versions:
        return
    yield from ("", "With which PV-GRUB would how many boot")
    first = summary.versions[0].version
    against = f"against {first}" if len(summary.versions) > 1 else ""
    width = max(len(row.version) for row in summary.versions)
    heads = "".join(f"  {word:>10}" for word in STATUSES)
    yield f"  {'':<{width}}{heads}  {against}".rstrip()
    for row in summary.versions:
        cells = "".join(f"  {row.statuses.get(word, 0):>10,}" for word in STATUSES)
        change = f"  +{row.gained:,} -{row.lost:,}" if row.version != first else ""
        yield f"  {row.version:<{width}}{cells}{change}"


def _failing(store: Store, summary: FleetSummary) -> Iterator[str]:
    total = summary.looks - summary.statuses.get("boots", 0)
    if not total:
        return
    yield from ("", "What does not boot")
    failing = (r for r in store.results(verdicts=False) if r.status in STATUSES and r.status != "boots")
    several = len(summary.versions) > 1
    for result in islice(failing, SHOWN):
        yield f"  {result.name}{f' [{result.version}]' if several else ''}: {_said(result)}"
    if total > SHOWN:
        yield f"  and {total - SHOWN:,} more: --format csv lists them all"


def _said(result: ScanResult) -> str:
    return result.headline or f"{STATUSES[result.status]}: {result.error}"


# --- the difference


def _difference(changes: ScanDifference) -> Iterator[str]:
    parts: Mapping[str, tuple[ScanChange, ...]] = {
        "fares worse": changes.broken,
        "fares better": changes.mended,
        "has other findings": changes.found,
    }
    counts = [f"{len(rows):,} {words}" for words, rows in parts.items()]
    yield f"{'REGRESSION: ' if changes.regression else ''}{', '.join(counts)}, {changes.same:,} as before."
    for words, rows in parts.items():
        if rows:
            yield from ("", f"What {words}")
            for row in rows[:_CHANGES]:
                yield f"  {row.name} [{row.version}]: {_change(row)}"
            if len(rows) > _CHANGES:
                yield f"  and {len(rows) - _CHANGES:,} more"
    for words, names in (("Only in the newer scan", changes.added), ("Only in the older scan", changes.removed)):
        if names:
            yield from ("", f"{words}: {len(names):,}")
            yield from (f"  {name}" for name in names[:SHOWN])
            if len(names) > SHOWN:
                yield f"  and {len(names) - SHOWN:,} more"


def _change(row: ScanChange) -> str:
    words = []
    if row.before != row.after:
        words.append(f"{STATUSES[row.before]} -> {STATUSES[row.after]}. {row.headline}".rstrip())
    if row.new_findings:
        words.append(f"new: {', '.join(row.new_findings)}")
    if row.gone_findings:
        words.append(f"gone: {', '.join(row.gone_findings)}")
    return "; ".join(words)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
