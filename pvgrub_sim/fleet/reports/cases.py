"""The reports for CI servers: JUnit XML and SARIF, as `boot` writes them, with what could not be looked at beside.

With an older scan to compare with, what fares worse than there is a failure, and what always failed is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from pvgrub_sim.fleet.difference import ScanDifference
from pvgrub_sim.fleet.store import Store
from pvgrub_sim.fleet.values import STATUSES, ScanResult, ScanState
from pvgrub_sim.model import Verdict
from pvgrub_sim.report import render_report
from pvgrub_sim.safetext import disarmed_json, printable


def report(store: Store, format: str, changes: ScanDifference | None) -> Iterator[bytes]:
    """As FleetReporter.report()."""
    if format == "junit":
        yield (_regressions(changes) if changes is not None else _junit(store)).encode("utf-8")
    else:
        yield _sarif(store, changes).encode("utf-8")


def _looked_at(store: Store) -> tuple[list[Verdict], list[ScanResult]]:
    """The verdicts, and the results without one."""
    verdicts: list[Verdict] = []
    others: list[ScanResult] = []
    for result in store.results():
        verdict = result.verdict
        if verdict is not None:
            # Where what a report does not show takes most of the memory.
            verdicts.append(verdict._replace(layout=()))
        elif result.state is not ScanState.NO_IMAGE:
            others.append(result)
    return verdicts, others


def _junit(store: Store) -> str:
    verdicts, others = _looked_at(store)
    root = ET.fromstring(render_report(verdicts, "junit"))
    suite = root[0]
    suite.set("name", "pvgrub-sim scan")
    for element in (root, suite):
        element.set("tests", str(len(verdicts) + len(others)))
        element.set("errors", str(len(others)))
    for result in others:
        case = ET.SubElement(suite, "testcase", classname=_class(result.version), name=printable(result.source))
        ET.SubElement(case, "error", type=str(result.state), message=printable(result.error))
    return _xml(root)


def _regressions(changes: ScanDifference) -> str:
    failing = {(row.name, row.version) for row in changes.broken}
    rows = sorted([*changes.broken, *changes.mended, *changes.found])
    counts = {"tests": str(len(rows) + changes.same), "failures": str(len(failing)), "errors": "0"}
    root = ET.Element("testsuites", {"name": "pvgrub-sim", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "pvgrub-sim fleet --diff", **counts, "skipped": "0"})
    for row in rows:
        case = ET.SubElement(suite, "testcase", classname=_class(row.version), name=printable(row.name))
        if (row.name, row.version) in failing:
            words = f"{STATUSES[row.before]} before, {STATUSES[row.after]} now"
            ET.SubElement(case, "failure", type=row.after, message=words).text = printable(row.headline)
    return _xml(root)


def _class(version: str) -> str:
    return printable(f"pvgrub-sim.{version.replace('.', '_')}")


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _sarif(store: Store, changes: ScanDifference | None) -> str:
    verdicts, others = _looked_at(store)
    log = json.loads(render_report(verdicts, "sarif"))
    run = log["runs"][0]
    run["invocations"] = [
        {
            "executionSuccessful": True,
            "toolExecutionNotifications": [
                {"level": "error", "message": {"text": printable(f"{result.source}: {result.error}")}}
                for result in others
            ],
        }
    ]
    if changes is not None:
        run["properties"]["regressions"] = [
            {"image": printable(row.name), "version": row.version, "before": row.before, "after": row.after}
            for row in changes.broken
        ]
    return disarmed_json(json.dumps(log, indent=2)) + "\n"
