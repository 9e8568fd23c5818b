"""The report for GitHub Actions: workflow commands that annotate the run, and the console in a group.

The commands and their escapes: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
and actions/toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pvgrub_sim.model import Severity, Verdict
from pvgrub_sim.report import words
from pvgrub_sim.report.words import Status
from pvgrub_sim.safetext import printable

MEDIA_TYPE = "text/plain"

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """One annotation for each verdict and each finding; arguments as for Reporter.render()."""
    lines: list[str] = []
    for verdict in verdicts:
        lines += _annotations(verdict, allow_fallback, fail_on)
        if verdict.console:
            lines += _console(verdict)
    if len(verdicts) != 1:
        lines.append(words.summary(verdicts))
    return "\n".join(lines) + "\n"


def _annotations(verdict: Verdict, allow_fallback: bool, fail_on: Severity | None) -> list[str]:
    status = words.status(verdict)
    failed = words.is_failure(verdict, allow_fallback=allow_fallback, fail_on=fail_on)
    level = "notice" if not failed else "warning" if status is Status.FALLBACK else "error"
    message = (
        f"{words.failure(verdict, fail_on)}\nSimulated: {words.simulated(verdict)}. {words.caveat(verdict)}".rstrip()
    )
    lines = [_command(level, verdict.image, f"PV-GRUB: {status}", message)]
    for finding in words.by_severity(verdict.findings):
        message = finding.message
        if finding.where:
            message += f"\nWhere: {finding.where}"
        if finding.evidence:
            message += f"\nSeen: {finding.evidence}"
        if finding.remedy:
            message += f"\nRemedy:\n{finding.remedy}"
        lines.append(_command(_COMMAND[finding.severity], verdict.image, finding.rule, message))
    return lines


def _command(name: str, image: str, title: str, message: str) -> str:
    return f"::{name} file={_property(image)},title={_property(title)}::{_data(message)}"


def _console(verdict: Verdict) -> list[str]:
    """The console, fenced: a title in menu.lst could otherwise be a workflow command."""
    console = printable(verdict.console).rstrip("\n")
    # The runner obeys nothing until it sees this word again, and no text contains its own digest.
    token = hashlib.sha256(console.encode()).hexdigest()
    return [
        f"::group::Console of {_data(verdict.image)}",
        f"::stop-commands::{token}",
        console,
        f"::{token}::",
        "::endgroup::",
    ]


def _data(text: str) -> str:
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
