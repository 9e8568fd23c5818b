"""The report for code scanning: SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pvgrub_sim import __version__
from pvgrub_sim.model import Finding, Severity, Verdict
from pvgrub_sim.report import words
from pvgrub_sim.report.words import Status
from pvgrub_sim.safetext import disarmed_json, printable

MEDIA_TYPE = "application/sarif+json"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
OUTCOME_RULE = "pvgrub-outcome"
"""The rule of the result that says that an image does not boot, or boots only by fallback."""

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def render(verdicts: Sequence[Verdict], *, color: bool = False, allow_fallback: bool = False) -> str:
    """One run with a result for each finding and each image that fails; arguments as for Reporter.render()."""
    images = list(dict.fromkeys(verdict.image for verdict in verdicts))
    rules = _rules(verdicts)
    results: list[dict[str, Any]] = []
    for verdict in verdicts:
        about = _About(verdict, images.index(verdict.image), {rule["id"]: n for n, rule in enumerate(rules)})
        if words.is_failure(verdict, allow_fallback=allow_fallback):
            results.append(_outcome(about))
        results += [_finding(about, finding) for finding in words.by_severity(verdict.findings)]
    run = {
        "tool": {"driver": {"name": "pvgrub-sim", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": _uri(image)}, "roles": ["analysisTarget"]} for image in images],
        "results": results,
        "properties": {"images": [_facts(verdict) for verdict in verdicts]},
    }
    return disarmed_json(json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)) + "\n"


class _About:
    """What the results on one image share."""

    def __init__(self, verdict: Verdict, artifact: int, rule_index: dict[str, int]) -> None:
        self.verdict = verdict
        self.artifact = artifact
        self.rule_index = rule_index

    def result(self, rule: str, level: str, message: str, where: str = "") -> dict[str, Any]:
        """A result of `rule` at the place `where`, which is a place inside the image."""
        image = self.verdict.image
        # Code scanning wants a line even for what is no text.
        place: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(image), "index": self.artifact},
                "region": {"startLine": 1},
            }
        }
        if where:
            place["logicalLocations"] = [{"fullyQualifiedName": printable(where)}]
        print_of = hashlib.sha256("\0".join([image, rule, where]).encode("utf-8", "replace")).hexdigest()
        return {
            "ruleId": rule,
            "ruleIndex": self.rule_index[rule],
            "level": level,
            "message": {"text": printable(message)},
            "locations": [place],
            "partialFingerprints": {"imageRuleWhere/v1": print_of},
        }


def _outcome(about: _About) -> dict[str, Any]:
    verdict = about.verdict
    level = "warning" if words.status(verdict) is Status.FALLBACK else "error"
    message = f"{words.headline(verdict)} (Simulated: {words.simulated(verdict)}.)"
    return about.result(OUTCOME_RULE, level, message, verdict.config or "")


def _finding(about: _About, finding: Finding) -> dict[str, Any]:
    message = finding.message
    if finding.remedy:
        message += f"\n\nRemedy:\n{finding.remedy}"
    result = about.result(finding.rule, _LEVEL[finding.severity], message, finding.where)
    if finding.evidence:
        result["properties"] = {"evidence": printable(finding.evidence)}
    return result


def _rules(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The rules that the results refer to, in alphabetical order, after the one on the outcome."""
    outcome = {
        "id": OUTCOME_RULE,
        "shortDescription": {"text": "PV-GRUB does not boot the default entry of the image"},
        "help": {"text": "The message says why; `pvgrub-sim boot IMAGE` shows the whole story."},
    }
    severities = {finding.rule: finding.severity for verdict in verdicts for finding in verdict.findings}
    return [
        outcome,
        *(
            {
                "id": rule,
                "shortDescription": {"text": rule.replace("-", " ")},
                "help": {"text": f"`pvgrub-sim explain {rule}` tells more."},
                "defaultConfiguration": {"level": _LEVEL[severity]},
            }
            for rule, severity in sorted(severities.items())
        ),
    ]


def _facts(verdict: Verdict) -> dict[str, Any]:
    return {
        "image": printable(verdict.image),
        "outcome": str(verdict.outcome),
        "entry": verdict.entry,
        "simulated": words.simulated(verdict),
        "verdict": words.headline(verdict),
    }


def _uri(image: str) -> str:
    """The image's path as a URI reference: relative paths stay relative."""
    if "://" in image:
        return quote(image, safe=":/?&=%#@+,;~", errors="replace")
    path = PurePath(image).as_posix()
    # A colon in a relative path's first segment would look like a scheme.
    quoted = quote(path, safe="/", errors="replace")
    return f"file://{quoted}" if path.startswith("/") else quoted
