"""The report for a browser: one self-contained page with charts, and a table to sort and to filter.

All of it can be read without its script, which only sorts and filters; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files

from pvgrub_sim.fleet.difference import ScanChange, ScanDifference
from pvgrub_sim.fleet.reports.text import headline
from pvgrub_sim.fleet.store import Store
from pvgrub_sim.fleet.summary import SEVERITIES, FleetSummary, summarise
from pvgrub_sim.fleet.values import STATUSES, ScanResult
from pvgrub_sim.report.page import foot, head
from pvgrub_sim.safetext import one_line

_CLASS = {"boots": "good", "fallback": "warn", "down": "bad", "unreadable": "dead", "killed": "dead"}
_COLUMNS = ("Image", "PV-GRUB", "Status", "In one sentence", "Kernel", "Findings", "Region")
_MOST = 20
"""Bars of a chart."""
_GROUP = 100
"""Rows of a <tbody>: a browser draws those groups alone that are seen."""
_SCALE = 1000


def report(store: Store, format: str, changes: ScanDifference | None) -> Iterator[bytes]:
    """As FleetReporter.report()."""
    for part in _page(store, changes):
        yield part.encode("utf-8")


def _page(store: Store, changes: ScanDifference | None) -> Iterator[str]:
    summary = summarise(store.results(verdicts=False))
    here = files(__package__)
    style = files("pvgrub_sim.report").joinpath("style.css").read_text(encoding="utf-8")
    style += here.joinpath("fleet.css").read_text(encoding="utf-8")
    script = here.joinpath("fleet.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    title = headline(summary)
    yield head(_text(title), style, kind="fleet", script_hash=f"sha256-{digest}")
    yield f"<section><h1>{_text(title)}</h1>{_stack(summary.statuses, summary.looks)}{_legend(summary)}</section>\n"
    if changes is not None:
        yield from _difference(changes)
    yield from _versions(summary)
    yield '<div class="charts">\n'
    yield from _charts(summary)
    yield "</div>\n"
    yield from _table(store, summary)
    yield foot(script)


def _text(text: str) -> str:
    """Text for the page: nothing that an image says becomes markup."""
    return escape(one_line(text), quote=True)


# --- charts


def _stack(statuses: Mapping[str, int], whole: int) -> str:
    """A bar of all statuses, side by side."""
    parts = []
    left = 0.0
    for word in STATUSES:
        if count := statuses.get(word, 0):
            width = count / whole * _SCALE
            parts.append(
                f'<rect class="{word}" x="{left:.1f}" width="{width:.1f}" height="10">'
                f"<title>{STATUSES[word]}: {count:,}</title></rect>"
            )
            left += width
    words = ", ".join(f"{statuses.get(word, 0):,} {STATUSES[word]}" for word in STATUSES)
    return (
        f'<svg class="bar" viewBox="0 0 {_SCALE} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def _legend(summary: FleetSummary) -> str:
    items = [
        f'<li><span class="badge {_CLASS[word]}">{words}</span> {summary.statuses.get(word, 0):,} '
        f"({summary.statuses.get(word, 0) / max(summary.looks, 1):.1%})</li>"
        for word, words in STATUSES.items()
    ]
    others = f"<li>{summary.no_images:,} files are no disk images</li>" if summary.no_images else ""
    return f'<ul class="legend">{"".join(items)}{others}</ul>'


def _charts(summary: FleetSummary) -> Iterator[str]:
    rules = [(row.rule, row.images, row.severity) for row in summary.rules]
    yield _bars("How it ends", [(name, count, "") for name, count in summary.outcomes.items()], summary.looks)
    yield _bars("Rules, and how many images they speak of", rules, summary.images)
    yield _bars("Kernels", [(name, count, "") for name, count in summary.kernels.items()], summary.looks)
    yield _bars(
        "Payloads of the kernels", [(name, count, "") for name, count in summary.payloads.items()], summary.looks
    )
    if summary.regions:
        rows = [
            f'<tr><th scope="row">{_text(name)}</th><td class="wide">{_stack(counts, sum(counts.values()))}</td>'
            f'<td class="number">{sum(counts.values()):,}</td></tr>'
            for name, counts in summary.regions.items()
        ]
        yield _chart("Regions", rows)


def _bars(title: str, rows: list[tuple[str, int, str]], whole: int) -> str:
    if not rows:
        return ""
    cells = []
    for name, count, severity in rows[:_MOST]:
        kind = severity if severity in SEVERITIES else "plain"
        bar = (
            f'<svg class="bar" viewBox="0 0 {_SCALE} 10" preserveAspectRatio="none" role="img" aria-label="{count:,}">'
            f'<rect class="{kind}" width="{count / max(whole, 1) * _SCALE:.1f}" height="10"></rect></svg>'
        )
        cells.append(
            f'<tr><th scope="row">{_text(name)}</th><td class="wide">{bar}</td><td class="number">{count:,}</td></tr>'
        )
    if len(rows) > _MOST:
        cells.append(f'<tr><th scope="row">and {len(rows) - _MOST} more</th><td></td><td></td></tr>')
    return _chart(title, cells)


def _chart(title: str, rows: Iterable[str]) -> str:
    return f'<section class="chart"><h2>{title}</h2><table><tbody>{"".join(rows)}</tbody></table></section>\n'


def _versions(summary: FleetSummary) -> Iterator[str]:
    """The question before an upgrade."""
    if not summary.versions:
        return
    first = summary.versions[0].version
    several = len(summary.versions) > 1
    heads = "".join(f'<th scope="col" class="number">{words}</th>' for words in STATUSES.values())
    against = f'<th scope="col" class="number">against {_text(first)}</th>' if several else ""
    yield '<section><h2>With which PV-GRUB would how many boot</h2><div class="scroll"><table><thead><tr>'
    yield f'<th scope="col">PV-GRUB</th><th scope="col" class="wide"></th>{heads}{against}</tr></thead><tbody>\n'
    for row in summary.versions:
        cells = "".join(f'<td class="number">{row.statuses.get(word, 0):,}</td>' for word in STATUSES)
        change = f"+{row.gained:,} \N{MINUS SIGN}{row.lost:,}" if row.version != first else ""
        last = f'<td class="number">{change}</td>' if several else ""
        yield (
            f'<tr><th scope="row">{_text(row.version)}</th>'
            f'<td class="wide">{_stack(row.statuses, sum(row.statuses.values()))}</td>{cells}{last}</tr>\n'
        )
    yield "</tbody></table></div></section>\n"


# --- tables


def _difference(changes: ScanDifference) -> Iterator[str]:
    yield "<section><h2>Against the older scan</h2>"
    yield (
        f"<p>{len(changes.broken):,} fare worse, {len(changes.mended):,} better, {len(changes.found):,} have other "
        f"findings, {changes.same:,} are as before; {len(changes.added):,} are new, "
        f"{len(changes.removed):,} gone.</p>\n"
    )
    for title, rows in (
        ("Fares worse", changes.broken),
        ("Fares better", changes.mended),
        ("Has other findings", changes.found),
    ):
        if rows:
            yield f'<h3>{title}</h3><div class="scroll"><table><tbody>\n'
            yield from map(_change, rows)
            yield "</tbody></table></div>\n"
    yield "</section>\n"


def _change(row: ScanChange) -> str:
    rules = [f"new: {rule}" for rule in row.new_findings] + [f"gone: {rule}" for rule in row.gone_findings]
    return (
        f'<tr><th scope="row">{_text(row.name)}</th><td>{_text(row.version)}</td>'
        f"<td>{_badge(row.before)} \N{RIGHTWARDS ARROW} {_badge(row.after)}</td>"
        f"<td>{_text(row.headline)}</td><td>{_text(', '.join(rules))}</td></tr>\n"
    )


def _badge(status: str) -> str:
    return f'<span class="badge {_CLASS[status]}">{STATUSES[status]}</span>'


def _table(store: Store, summary: FleetSummary) -> Iterator[str]:
    choices = "".join(f'<option value="{word}">{words}</option>' for word, words in STATUSES.items())
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    yield (
        '<section><h2>All images</h2><form id="filter" hidden>'
        '<label>Find <input type="search" id="words" placeholder="name, kernel, rule …"></label>'
        f'<label>Status <select id="status"><option value="">all</option>{choices}</select></label>'
        '<output id="shown"></output></form>'
        f'<div class="scroll"><table id="images"><thead><tr>{heads}</tr></thead>\n'
    )
    number = 0
    for result in store.results(verdicts=False):
        if result.status in STATUSES:
            if number % _GROUP == 0:
                yield "<tbody>\n" if number == 0 else "</tbody><tbody>\n"
            number += 1
            yield _row(result)
    yield "</tbody></table></div></section>\n" if number else "</table></div></section>\n"


def _row(result: ScanResult) -> str:
    said = result.headline or result.error
    return (
        f'<tr class="{result.status}"><th scope="row">{_text(result.name)}</th><td>{_text(result.version)}</td>'
        f"<td>{_badge(result.status)}</td><td>{_text(said)}</td>"
        f"<td>{_text(' '.join(filter(None, (result.kernel.split(' ', 1)[0], result.payload))))}</td>"
        f"<td>{_text(' '.join(result.rules))}</td><td>{_text(result.region)}</td></tr>\n"
    )
