"""Reads the JSON of an image back: what json_report.as_json() wrote becomes the verdict again."""

from __future__ import annotations

import json

from pvgrub_sim.model import (
    BootError,
    Event,
    EventKind,
    Finding,
    IgnoredFinding,
    LayoutPart,
    LoadedFile,
    Outcome,
    Plan,
    PlanStep,
    ProfileInfo,
    Severity,
    Verdict,
)
from pvgrub_sim.shapes import of_type
from pvgrub_sim.typed import Any

_FILE_FIELDS = ("path", "size", "crc32", "sha256")


def parse(text: str) -> Verdict:
    """The verdict that a JSON object of docs/json.md stands for; fields that are not known here are passed over.

    Raises ValueError when it stands for none.
    """
    try:
        verdict: Verdict = of_type(Verdict, _verdict(json.loads(text)))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from None
    return verdict


def _verdict(told: dict[str, Any]) -> Verdict:
    return Verdict(
        image=told["image"],
        profile=ProfileInfo(**{name: told["profile"][name] for name in ProfileInfo._fields}),
        outcome=Outcome(told["outcome"]),
        entry=told["entry"],
        default_entry=told["default_entry"],
        config=told["config"],
        errors=tuple(BootError(**_known(BootError._fields, error)) for error in told["errors"]),
        kernel=_file(told["kernel"]),
        initrd=_file(told["initrd"]),
        cmdline=told["cmdline"],
        console=told["console"],
        writes=tuple(told["writes"]),
        events=tuple(
            Event(**{**_known(Event._fields, event), "kind": EventKind(event["kind"])}) for event in told["events"]
        ),
        findings=tuple(map(_finding, told["findings"])),
        reason=told["reason"],
        layout=tuple(LayoutPart(**_known(LayoutPart._fields, part)) for part in told["layout"]),
        plan=_plan(told.get("plan")),
        ignored=tuple(IgnoredFinding(_finding(one), one["reason"]) for one in told.get("ignored", ())),
    )


def _known(fields: tuple[str, ...], item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in fields if name in item}


def _finding(item: dict[str, Any]) -> Finding:
    return Finding(**{**_known(Finding._fields, item), "severity": Severity(item["severity"])})


def _plan(item: dict[str, Any] | None) -> Plan | None:
    if item is None:
        return None
    steps = tuple(
        PlanStep(**_known(PlanStep._fields, step) | {"rules": tuple(step["rules"])}) for step in item["steps"]
    )
    return Plan(item["proven"], steps, item["script"], tuple(item["unmended"]))


def _file(item: dict[str, Any] | None) -> LoadedFile | None:
    if item is None:
        return None
    detail = {name: value for name, value in item.items() if name not in _FILE_FIELDS}
    return LoadedFile(item["path"], item["size"], int(str(item["crc32"])[:16], 16), detail, item.get("sha256", ""))
