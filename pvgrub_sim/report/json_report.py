"""The report for programs: the verdict field by field, in a format that only grows (docs/json.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pvgrub_sim.model import BootError, Event, Finding, LayoutPart, LoadedFile, Plan, Severity, Verdict
from pvgrub_sim.safetext import disarmed_json
from pvgrub_sim.typed import Any

MEDIA_TYPE = "application/json"
FORMAT_VERSION = 1


def render(
    verdicts: Sequence[Verdict],
    *,
    color: bool = False,
    allow_fallback: bool = False,
    fail_on: Severity | None = None,
) -> str:
    """One object for one image, else an object with `images`; arguments as for Reporter.render()."""
    images = [as_json(verdict) for verdict in verdicts]
    whole = images[0] if len(images) == 1 else {"format_version": FORMAT_VERSION, "images": images}
    # Plain ASCII, so that names which are no valid UTF-8 on the disk survive as escapes.
    return disarmed_json(json.dumps(whole, indent=2)) + "\n"


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The object that stands for one image."""
    return {
        "format_version": FORMAT_VERSION,
        "image": verdict.image,
        "profile": {
            "name": verdict.profile.name,
            "arch": verdict.profile.arch,
            "aki": verdict.profile.aki,
            "device": verdict.profile.device,
        },
        "outcome": str(verdict.outcome),
        "reason": verdict.reason,
        "boots_default": verdict.boots_default,
        "entry": verdict.entry,
        "default_entry": verdict.default_entry,
        "config": verdict.config,
        "errors": [_error(error) for error in verdict.errors],
        "kernel": _file(verdict.kernel),
        "initrd": _file(verdict.initrd),
        "cmdline": verdict.cmdline,
        "console": verdict.console,
        "writes": list(verdict.writes),
        "findings": [_finding(finding) for finding in verdict.findings],
        "events": [_event(event) for event in verdict.events],
        "layout": [_part(part) for part in verdict.layout],
        "plan": _plan(verdict.plan),
        "ignored": [_finding(one.finding) | {"reason": one.reason} for one in verdict.ignored],
    }


def _error(error: BootError) -> dict[str, Any]:
    return {
        "entry": error.entry,
        "number": error.number,
        "message": error.message,
        "command": error.command,
        "detail": error.detail,
        **({"menu": error.menu} if error.menu is not None else {}),
    }


def _file(loaded: LoadedFile | None) -> dict[str, Any] | None:
    if loaded is None:
        return None
    fields = {"path": loaded.path, "size": loaded.size, "crc32": f"{loaded.crc32:08x}", "sha256": loaded.sha256}
    return fields | {key: _plain(value) for key, value in loaded.detail.items() if key not in fields}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "message": finding.message,
        "remedy": finding.remedy,
        "where": finding.where,
        "evidence": finding.evidence,
    }


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    steps = [step._asdict() | {"rule": step.rules[0], "rules": list(step.rules)} for step in plan.steps]
    return {"proven": plan.proven, "steps": steps, "script": plan.script, "unmended": list(plan.unmended)}


def _event(event: Event) -> dict[str, Any]:
    optional = {
        "entry": event.entry,
        "number": event.number,
        "path": event.path,
        "size": event.size,
        "menu": event.menu,
    }
    return {
        "kind": str(event.kind),
        "text": event.text,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _part(part: LayoutPart) -> dict[str, Any]:
    return {"name": part.name, "start": part.start, "length": part.length, "kind": part.kind, "label": part.label}


def _plain(value: Any) -> Any:
    """What the kernel loader found out, in types that JSON has."""
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(_plain(item) for item in value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)
