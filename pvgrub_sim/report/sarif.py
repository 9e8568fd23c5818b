"""The report for code scanning: SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import PurePath
from urllib.parse import quote

from pvgrub_sim import __version__
from pvgrub_sim.model import Finding, IgnoredFinding, Severity, Verdict
from pvgrub_sim.report import words
from pvgrub_sim.report.words import Status
from pvgrub_sim.safetext import disarmed_json, printable
from pvgrub_sim.typed import Any

MEDIA_TYPE = "application/sarif+json"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
OUTCOME_RULE = "pvgrub-outcome"
"""The rule of the result that says that an image does not boot, or boots only by fallback."""

OUTCOME = {
    "id": OUTCOME_RULE,
    "shortDescription": {"text": "PV-GRUB does not boot the default entry of the image"},
    "fullDescription": {
        "text": "PV-GRUB was simulated on the image as it is. It boots nothing, or an entry that is not the default."
    },
    "help": {
        "text": "The message says why; pvgrub-sim boot IMAGE shows the whole story, pvgrub-sim fix mends a copy.",
        "markdown": "The message says why. `pvgrub-sim boot IMAGE` shows the whole story, and `pvgrub-sim fix IMAGE -o "
        "OUT` mends a copy.",
    },
    "helpUri": "https://www.gnu.org/software/grub/manual/legacy/grub.html",
}

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """One run with a result for each finding and each image that fails; arguments as for Reporter.render()."""
    images = list(dict.fromkeys(verdict.image for verdict in verdicts))
    rules = _rules(verdicts)
    results: list[dict[str, Any]] = []
    for verdict in verdicts:
        about = _About(verdict, images.index(verdict.image), {rule["id"]: n for n, rule in enumerate(rules)})
        if words.is_failure(verdict, allow_fallback=allow_fallback, fail_on=fail_on):
            results.append(_outcome(about, fail_on))
        results += [_finding(about, finding) for finding in words.by_severity(verdict.findings)]
        results += [_suppressed(about, ignored) for ignored in verdict.ignored]
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


def _outcome(about: _About, fail_on: Severity | None) -> dict[str, Any]:
    verdict = about.verdict
    level = "warning" if words.status(verdict) is Status.FALLBACK else "error"
    message = f"{words.failure(verdict, fail_on)} (Simulated: {words.simulated(verdict)}.)"
    return about.result(OUTCOME_RULE, level, message, verdict.config or "")


def _finding(about: _About, finding: Finding) -> dict[str, Any]:
    message = finding.message
    if finding.remedy:
        message += f"\n\nRemedy:\n{finding.remedy}"
    result = about.result(finding.rule, _LEVEL[finding.severity], message, finding.where)
    if finding.evidence:
        result["properties"] = {"evidence": printable(finding.evidence)}
    return result


def _suppressed(about: _About, ignored: IgnoredFinding) -> dict[str, Any]:
    """A finding that does not count, as section 3.35 of the standard has it."""
    suppression = {"kind": "external", "status": "accepted"}
    if ignored.reason:
        suppression["justification"] = printable(ignored.reason)
    return _finding(about, ignored.finding) | {"suppressions": [suppression]}


def _rules(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The rules that the results refer to, in alphabetical order, after the one on the outcome."""
    pages = json.loads(files(__package__).joinpath("rule_pages.json").read_text("utf-8"))
    found = {finding.rule: finding.severity for verdict in verdicts for finding in _all_findings(verdict)}
    return [OUTCOME, *(_rule(rule, severity, pages.get(rule)) for rule, severity in sorted(found.items()))]


def _all_findings(verdict: Verdict) -> list[Finding]:
    return [*verdict.findings, *(one.finding for one in verdict.ignored)]


def _rule(name: str, severity: Severity, page: dict[str, str] | None) -> dict[str, Any]:
    """What code scanning shows of a rule; page: None for a rule of another version, whose verdict was kept."""
    level = {"level": _LEVEL[severity]}
    title = name.replace("-", " ")
    if page is None:
        return {"id": name, "shortDescription": {"text": title}, "defaultConfiguration": level}
    more = f"`pvgrub-sim explain {name}` prints this text."
    return {
        "id": name,
        "shortDescription": {"text": page["title"]},
        "fullDescription": {"text": page["text"].partition("\n\n")[0]},
        "help": {
            "text": f"{page['text']}\n\n{more.replace('`', '')}",
            "markdown": f"**{page['title']}**\n\n{page['markdown']}\n\n{more}",
        },
        "helpUri": page["source"],
        "defaultConfiguration": level,
        "properties": {"tags": ["pv-grub", page["family"]]},
    }


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
