"""What must hold for every input, whatever it is."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

from pvgrub_sim import REPORT_FORMATS, Outcome, Verdict, all_rules, one_line, printable, render_report
from pvgrub_sim.isolated import _plain
from pvgrub_sim.shapes import of_type
from tests.hostile.watch import dangers


class Broken(AssertionError):
    """A promise of docs/security.md was not kept."""


def hold(condition: object, words: str) -> None:
    """Raise Broken unless the condition is true."""
    if not condition:
        raise Broken(words)


def text(shown: str, what: str, *, commands: bool = False) -> None:
    """Nothing in a text steers a terminal or a CI runner."""
    found = dangers(shown.encode("utf-8"), commands=commands)
    hold(not found, f"{what}: {found[:1]}")


def verdict(told: Verdict) -> None:
    """The fields of a verdict fit each other, and it survives the way through JSON."""
    hold(told.outcome in Outcome, "an outcome")
    hold(not told.boots_default or told.outcome is Outcome.BOOTS, "what boots by default boots")
    hold(all(finding.rule in all_rules() and finding.message for finding in told.findings), "findings of known rules")
    hold(of_type(Verdict, json.loads(json.dumps(_plain(told)))) == told._replace(), "a verdict through JSON and back")


def sound(told: Verdict, full: Verdict) -> None:
    """Where the survey gave up the same is told as where it did not, or less. full: what is told without an end."""
    differ = [name for name in ("outcome", "entry", "errors", "console") if getattr(told, name) != getattr(full, name)]
    hold(not differ, f"the survey's budget changes no outcome: {differ}")
    hold(told.plan is None or told.plan == full.plan, "a plan that stands on what was not seen")
    hold(told.plan == full.plan or "not everything was looked at" in told.reason, "less, and nobody says so")
    for finding in told.findings:
        if any(not line.startswith("#") for line in finding.remedy.splitlines()):
            hold(finding in full.findings, f"commands that stand on what was not seen: {finding.rule}")


def reports(told: Verdict) -> None:
    """Every report can be made, is valid, and harmless to look at."""
    for name in REPORT_FORMATS:
        shown = render_report([told], name)
        text(shown, f"the format {name}", commands=name == "github")
        if name == "json":
            loaded: dict[str, Any] = json.loads(shown)
            hold(loaded["console"] == told.console and loaded["outcome"] == told.outcome, "JSON says the same")
        elif name == "sarif":
            hold(json.loads(shown)["version"] == "2.1.0", "SARIF")
        elif name == "junit":
            hold(ET.fromstring(shown.encode("utf-8")).tag == "testsuites", "XML")
        elif name == "html":
            HTMLParser().feed(shown)
            hold("<script" not in shown, "a page without scripts")
    text(printable(told.console), "the console")
    text(one_line(told.console), "the console in one line")
