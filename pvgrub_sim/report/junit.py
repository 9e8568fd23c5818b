"""The report for CI servers: JUnit XML, one test case an image, the console in system-out.

Written to the schema that Jenkins and GitLab read (https://llg.cubic.org/docs/junit/).
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from pvgrub_sim.model import Severity, Verdict
from pvgrub_sim.report import text, words
from pvgrub_sim.safetext import printable

MEDIA_TYPE = "application/xml"


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """A test suite with one case an image; arguments as for Reporter.render()."""
    failures = sum(words.is_failure(verdict, allow_fallback=allow_fallback, fail_on=fail_on) for verdict in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failures), "errors": "0"}
    root = ET.Element("testsuites", {"name": "pvgrub-sim", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "pvgrub-sim boot", **counts, "skipped": "0"})
    for verdict in verdicts:
        _case(suite, verdict, allow_fallback, fail_on)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, verdict: Verdict, allow_fallback: bool, fail_on: Severity | None) -> None:
    profile = verdict.profile
    case = ET.SubElement(
        suite,
        "testcase",
        classname=printable(f"pvgrub-sim.{profile.name.replace('.', '_')}.{profile.arch}"),
        name=printable(verdict.image),
    )
    if words.is_failure(verdict, allow_fallback=allow_fallback, fail_on=fail_on):
        why = words.failure(verdict, fail_on)
        failure = ET.SubElement(case, "failure", type=verdict.outcome, message=why)
        failure.text = text.render_without_console(verdict)
    out = ET.SubElement(case, "system-out")
    out.text = printable(verdict.console)
