"""The report for a browser: one self-contained page, without scripts and without anything loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from pvgrub_sim.model import Event, EventKind, Finding, IgnoredFinding, Severity, Verdict
from pvgrub_sim.report import layout_svg, words
from pvgrub_sim.report.page import foot, head
from pvgrub_sim.report.words import Status
from pvgrub_sim.safetext import printable

MEDIA_TYPE = "text/html"
MAX_STEPS = 400
"""Steps of the chain that are shown; a looping menu would make a page of any size."""

_STATUS_CLASS = {Status.BOOTS: "good", Status.FALLBACK: "warn", Status.DOWN: "bad", Status.OPEN: "warn"}


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """One article an image, and an overview when there are several; arguments as for Reporter.render()."""
    single = len(verdicts) == 1
    title = f"{verdicts[0].image}: {words.status(verdicts[0])}" if single else words.summary(verdicts)
    articles = [_article(verdict, number, "h1" if single else "h2") for number, verdict in enumerate(verdicts)]
    body = articles if single else [_overview(verdicts), *articles]
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return head(_text(title), style) + "\n".join(body) + "\n" + foot()


def _text(text: str) -> str:
    """Text for the page: nothing that an image says becomes markup."""
    return escape(printable(text), quote=True)


def _badge(verdict: Verdict) -> str:
    status = words.status(verdict)
    return f'<span class="badge {_STATUS_CLASS[status]}">{status}</span>'


def _overview(verdicts: Sequence[Verdict]) -> str:
    rows = [
        f'<tr><th scope="row"><a href="#image-{number}">{_text(verdict.image)}</a></th>'
        f"<td>{_badge(verdict)}</td><td>{_text(words.headline(verdict))}</td></tr>"
        for number, verdict in enumerate(verdicts)
    ]
    return "\n".join(
        [
            '<section class="overview">',
            f"<h1>{_text(words.summary(verdicts))}</h1>",
            '<div class="scroll"><table><thead><tr><th scope="col">Image</th><th scope="col">Verdict</th>'
            '<th scope="col">In one sentence</th></tr></thead><tbody>',
            *rows,
            "</tbody></table></div>",
            "</section>",
        ]
    )


def _article(verdict: Verdict, number: int, heading: str) -> str:
    level = int(heading[1])
    parts = [
        f'<article id="image-{number}" aria-labelledby="title-{number}">',
        f'<header class="verdict {_STATUS_CLASS[words.status(verdict)]}">',
        f'<{heading} id="title-{number}">{_text(verdict.image)} {_badge(verdict)}</{heading}>',
        f'<p class="headline">{_text(words.headline(verdict))}</p>',
        f'<p class="caveat">Simulated: {_text(words.simulated(verdict))}. {_text(words.caveat(verdict))}</p>',
        "</header>",
    ]
    sections = [
        ("Why, and what to do", [_finding(finding, level + 2) for finding in words.by_severity(verdict.findings)]),
        ("Ignored", _ignored(verdict.ignored)),
        ("Errors that PV-GRUB prints", _errors(verdict)),
        ("The disks", layout_svg.pictures(verdict, f"image-{number}")),
        ("The chain, step by step", _chain(verdict)),
        ("What was read", _facts(verdict)),
        ("Console", _console(verdict)),
    ]
    for title, content in sections:
        if content:
            parts += ["<section>", f"<h{level + 1}>{title}</h{level + 1}>", *content, "</section>"]
    return "\n".join([*parts, "</article>"])


def _finding(finding: Finding, level: int) -> str:
    lines = [
        f'<div class="finding {finding.severity}">',
        f'<h{level}><span class="severity">{finding.severity}</span> <code>{_text(finding.rule)}</code></h{level}>',
        f"<p>{_text(finding.message)}</p>",
    ]
    if finding.where:
        lines.append(f'<p class="where">Where: <code>{_text(finding.where)}</code></p>')
    if finding.evidence:
        lines.append(f'<p class="label">Seen</p>{_pre(finding.evidence, "What was seen")}')
    if finding.remedy:
        lines.append(f'<p class="label">Remedy</p>{_pre(finding.remedy, "Remedy")}')
    return "\n".join([*lines, "</div>"])


def _ignored(ignored: Sequence[IgnoredFinding]) -> list[str]:
    rows = [
        f"<li>{one.finding.severity} <code>{_text(one.finding.rule)}</code>: "
        f"{_text(one.reason or 'no reason is given')}</li>"
        for one in ignored
    ]
    return ["<ul>", *rows, "</ul>"] if rows else []


def _pre(text: str, label: str) -> str:
    # Focusable, so that a wide block can be scrolled with the keyboard.
    return f'<pre tabindex="0" role="group" aria-label="{label}">{_text(text)}</pre>'


def _errors(verdict: Verdict) -> list[str]:
    rows = [
        f"<tr><td>{_text(words.entry_name(verdict, error.entry))}</td><td>{_text(words.error_words(error))}</td>"
        f"<td><code>{_text(error.command)}</code>{_text(f' {error.detail}'.rstrip())}</td></tr>"
        for error in verdict.errors
    ]
    if not rows:
        return []
    head = '<thead><tr><th scope="col">Entry</th><th scope="col">Error</th><th scope="col">Command</th></tr></thead>'
    return [f'<div class="scroll"><table>{head}<tbody>', *rows, "</tbody></table></div>"]


def _facts(verdict: Verdict) -> list[str]:
    facts = [*words.facts(verdict), *((f"SHA-256 of the {name}", digest) for name, digest in words.checksums(verdict))]
    rows = [f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in facts]
    return ["<dl>", *rows, "</dl>"]


def _console(verdict: Verdict) -> list[str]:
    if not verdict.console:
        return []
    return [
        '<pre class="console" tabindex="0" role="group" aria-label="Console output of PV-GRUB">'
        f"{_text(verdict.console.rstrip())}</pre>"
    ]


def _chain(verdict: Verdict) -> list[str]:
    shown = verdict.events[:MAX_STEPS]
    if not shown:
        return []
    items = [f'<li class="{event.kind}">{_step(verdict, event)}</li>' for event in shown]
    left = len(verdict.events) - len(shown)
    return ['<ol class="chain">', *items, "</ol>", *([f"<p>… and {left:,} more steps.</p>"] if left else [])]


def _step(verdict: Verdict, event: Event) -> str:
    """One step of the chain as a sentence, with markup."""
    path = f"<code>{_text(event.path or '')}</code>"
    size = "" if event.size is None else f" ({event.size:,} bytes)"
    text = _text(event.text)
    match event.kind:
        case EventKind.CONFIG:
            return f"Reads the config file {path}{size}"
        case EventKind.ENTRY:
            return f"Tries <strong>{_text(words.entry_name(verdict, event.entry))}</strong>"
        case EventKind.COMMAND:
            return f"Runs <code>{text}</code>"
        case EventKind.FILE:
            return f"Opens {path}{size}"
        case EventKind.ERROR:
            return f"Prints <strong>Error {event.number}</strong>: {text}"
        case EventKind.FALLBACK:
            return f"Falls back to {_text(words.entry_name(verdict, event.entry))}"
        case EventKind.KEY:
            return text or "PV-GRUB waits for a key"
        case EventKind.WRITE:
            return f"Would write sector {event.number} of {path}"
        case EventKind.HANDOVER:
            return f"Hands over to the kernel {path}{size}"
