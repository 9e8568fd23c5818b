"""Reports: a verdict for people, for pipelines and for other programs.

The only input is model.Verdict. A format is a module of this package that is a Reporter; it is imported when it
is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from pvgrub_sim.typed import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pvgrub_sim.model import FixedImage, Severity, Verdict

REPORTERS: dict[str, tuple[str, str]] = {
    "text": ("text", "for people: the verdict in one sentence, the console, why, what to do"),
    "json": ("json_report", "for programs: everything, in a format that only grows"),
    "junit": ("junit", "for CI servers: one test case an image, the console in its output"),
    "sarif": ("sarif", "for code scanning: findings as SARIF 2.1.0"),
    "github": ("github", "for GitHub Actions: workflow commands that annotate the run"),
    "html": ("html", "for a browser: one file with the disks' layout and the chain step by step"),
}
"""Format: module of this package, and what it is for."""

REPORT_FORMATS = tuple(REPORTERS)
"""The formats that render_report() knows."""


class Reporter(Protocol):
    """One format."""

    @property
    def MEDIA_TYPE(self) -> str:
        """What render() returns, as a MIME type."""
        ...

    def render(
        self,
        verdicts: Sequence[Verdict],
        *,
        color: bool = False,
        allow_fallback: bool = False,
        fail_on: Severity | None = None,
    ) -> str:
        """The report on the verdicts, in their order, ending in a newline.

        color: use terminal colours, where the format has any. allow_fallback: booting by fallback is no failure.
        fail_on: a finding as bad as this, or worse, is one.
        """
        ...


def reporter(name: str) -> Reporter:
    """The reporter of that name; raises KeyError for a name that is not in REPORT_FORMATS."""
    return cast(Reporter, import_module(f"{__name__}.{REPORTERS[name][0]}"))


def render_report(
    verdicts: Sequence[Verdict],
    format: str = "text",
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """The report on some verdicts, in their order, ending in a newline.

    format: one of REPORT_FORMATS. color: use terminal colours, where the format has any; the environment variable
    NO_COLOR, when it is set and not empty, turns them off (https://no-color.org). allow_fallback: booting by fallback
    is no failure. fail_on: a finding as bad as this, or worse, is one, also on an image that boots. Raises ValueError
    for a format that is not known.
    """
    if format not in REPORTERS:
        raise ValueError(f"no report format {format!r}: one of {', '.join(REPORT_FORMATS)}")
    color = color and not os.environ.get("NO_COLOR")
    return reporter(format).render(verdicts, color=color, allow_fallback=allow_fallback, fail_on=fail_on)


def render_fix(fixed: FixedImage, format: str = "text") -> str:
    """The report on a mended image, ending in a newline.

    format: `text` or `json`. Raises ValueError for another one.
    """
    from pvgrub_sim.report.fix_report import render

    if format not in ("text", "json"):
        raise ValueError(f"no format {format!r} of a report on a mended image: one of text, json")
    return render(fixed, as_text=format == "text")
