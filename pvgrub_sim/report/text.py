"""The report for people: the verdict in one sentence, the console, why, what to do, what was read."""

from __future__ import annotations

from collections.abc import Sequence

from pvgrub_sim.model import Finding, Plan, Severity, Verdict
from pvgrub_sim.report import words
from pvgrub_sim.report.words import Status
from pvgrub_sim.safetext import disarmed, one_line, printable

MEDIA_TYPE = "text/plain"
WIDTH = 100
"""Columns at which prose is wrapped; commands, paths and the console are not."""
_BLANKS = str.maketrans("\t\n\v\f\r", "     ")

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
_STATUS_COLOR = {Status.BOOTS: GREEN, Status.FALLBACK: YELLOW, Status.DOWN: RED, Status.OPEN: YELLOW}
_SEVERITY_COLOR = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: CYAN}


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """One block an image, and a summary when there are several; arguments as for Reporter.render()."""
    paint = _Paint(color)
    blocks = ["\n".join(_block(verdict, paint)) for verdict in verdicts]
    if len(verdicts) != 1:
        blocks.append(paint(words.summary(verdicts), BOLD))
    # Wrapped prose may begin a line with what stood in its middle.
    return disarmed("\n\n".join(blocks)) + "\n"


def render_without_console(verdict: Verdict) -> str:
    """The block of one image, for formats that keep the console elsewhere."""
    return disarmed("\n".join(_block(verdict, _Paint(False), console=False))) + "\n"


class _Paint:
    """Wraps text in terminal colours, or leaves it."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._color and text else text


def _block(verdict: Verdict, paint: _Paint, *, console: bool = True) -> list[str]:
    status = words.status(verdict)
    lines = [
        f"{paint(one_line(verdict.image), BOLD)}: {paint(status, BOLD, _STATUS_COLOR[status])}",
        *wrapped(words.headline(verdict)),
        *(paint(line, DIM) for line in wrapped(f"Simulated: {words.simulated(verdict)}. {words.caveat(verdict)}")),
    ]
    if console and verdict.console:
        lines += ["", paint("Console", BOLD)]
        lines += [f"  {paint('|', DIM)} {line}".rstrip() for line in printable(verdict.console).rstrip().split("\n")]
    if verdict.errors:
        lines += ["", paint("Errors that PV-GRUB prints", BOLD)]
        for error in verdict.errors:
            where = f"{words.entry_name(verdict, error.entry)}: " if error.entry is not None else ""
            lines.append(f"  {one_line(where)}{paint(one_line(words.error_words(error)), RED)}")
            if error.command:
                lines.append(f"    {one_line(error.command)}")
            if error.detail:
                lines += wrapped(f"because: {one_line(error.detail)}", "    ")
    if verdict.findings:
        title = "Why, and what to do" if verdict.plan is None else "Why"
        lines += ["", paint(title, BOLD)]
        for finding in words.by_severity(verdict.findings):
            lines += _finding(finding, paint, verdict.plan)
    if verdict.ignored:
        lines += ["", paint("Ignored", BOLD)]
        for one in verdict.ignored:
            reason = one_line(one.reason) or "no reason is given"
            lines += wrapped(f"{one.finding.severity} {one.finding.rule}: {reason}")
    if verdict.plan is not None:
        lines += ["", paint("What to do", BOLD), *_plan(verdict.plan, paint)]
    return [*lines, "", paint("What was read", BOLD), *_read(verdict)]


def _read(verdict: Verdict) -> list[str]:
    sums = dict(words.checksums(verdict))
    lines = []
    for name, value in words.facts(verdict):
        lines.append(f"  {name:<10} {value}".rstrip())
        if digest := sums.get(name):
            lines.append(f"  {'':<10} SHA-256 {digest}")
    return lines


def _finding(finding: Finding, paint: _Paint, plan: Plan | None) -> list[str]:
    severity = paint(finding.severity, BOLD, _SEVERITY_COLOR[finding.severity])
    where = f" at {one_line(finding.where)}" if finding.where else ""
    lines = [f"  {severity} {paint(finding.rule, BOLD)}{where}", *wrapped(printable(finding.message), "    ")]
    if finding.evidence:
        lines += [f"    {paint('seen:', DIM)}", *_verbatim(finding.evidence)]
    numbers = [str(n) for n, step in enumerate(plan.steps if plan else (), 1) if finding.rule in step.rules]
    if numbers:
        lines.append(f"    {paint('mended by:', DIM)} step {', '.join(numbers)}")
    elif finding.remedy:
        lines += [f"    {paint('remedy:', DIM)}", *_commands(finding.remedy)]
    return lines


def _plan(plan: Plan, paint: _Paint) -> list[str]:
    lines: list[str] = []
    if plan.proven:
        lines += wrapped("With these steps the default entry boots: PV-GRUB was run on the image as it will be.")
    elif plan.steps:
        lines += wrapped("These steps alone do not make the default entry boot:")
    for number, step in enumerate(plan.steps, 1):
        seen = "" if step.known_by == "run" else " (what this comes to is seen when it has run)"
        lines += wrapped(f"{number}. {one_line(step.what)}{seen}", "    ")
    if plan.unmended:
        lines += wrapped("What is not mended here:")
        for text in plan.unmended:
            lines += wrapped(f"- {one_line(text)}", "    ")
    if plan.script:
        # At the left margin, so that it works as it is copied.
        lines += [f"  {paint('as one script, or let `pvgrub-sim fix` do it on a copy:', DIM)}", *_script(plan.script)]
    return lines


def _script(script: str) -> list[str]:
    return printable(script).rstrip("\n").split("\n")


def _commands(text: str) -> list[str]:
    """Commands as they can be copied: indented, unless a here-document would not find its end then."""
    return _script(text) if "<<" in text else _verbatim(text)


def _verbatim(text: str) -> list[str]:
    return [f"      {line}".rstrip() for line in printable(text).rstrip("\n").split("\n")]


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """Prose in lines of at most WIDTH columns; a word that is longer has a line of its own."""
    # textwrap compiles a page of patterns for this, which every start would pay for.
    lines: list[str] = []
    line = indent
    for word in filter(None, text.translate(_BLANKS).split(" ")):
        if line != indent and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = indent
        line += word if line == indent else f" {word}"
    return lines if line == indent else [*lines, line]
