"""Every rule on images: one that triggers it, one that does not, and what its remedy leads to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pvgrub_sim.findings import all_rules
from pvgrub_sim.findings.rule import NEEDS
from pvgrub_sim.model import Finding, Outcome, Verdict
from pvgrub_sim.verdict import boot
from tests.findings.cases import FIXTURES, HITS, MISSES, Hit
from tests.images import unpack_sparse
from tests.rounds import spread
from tests.tools import require

TOOLS = re.compile(
    r"(?:^|\bexec )(debugfs|e2fsck|resize2fs|mke2fs|sfdisk|sgdisk|dd|mcopy|mmd|btrfs|sed|jfs_fsck|tune2fs)\b", re.M
)


def unpack(name: str, folder: Path) -> Path:
    area, _, image = name.partition("/")
    home = FIXTURES / area if area in ("images", "rules") else FIXTURES / "conformance" / area
    return unpack_sparse(home / f"{image}.img.zst", folder / "disk.img")


def simulate(image: Path, options: dict[str, Any]) -> Verdict:
    """boot() in the image's folder, so that remedies name it without a path."""
    options = dict(options)
    if isinstance(options.get("ami"), dict):
        path = image.parent / "ami.json"
        path.write_text(json.dumps({"Images": [options["ami"]]}))
        options["ami"] = path
    return boot(image.name, **options)


_seen: dict[str, Verdict] = {}


def seen(case: Hit) -> Verdict:
    """What is said of a case, simulated once: several tests look at it."""
    if repr(case) not in _seen:
        with TemporaryDirectory() as folder, contextlib.chdir(folder):
            _seen[repr(case)] = simulate(unpack(case.image, Path(folder)), case.options)
    return _seen[repr(case)]


def of_rule(verdict: Verdict, rule: str) -> list[Finding]:
    return [finding for finding in verdict.findings if finding.rule == rule]


HIT_CASES = [pytest.param(rule, case, id=f"{rule}-{case.image}") for rule, cases in HITS.items() for case in cases]


def test_every_rule_has_a_hit_and_a_miss() -> None:
    assert set(HITS) == set(all_rules())
    assert set(MISSES) <= set(all_rules())


@pytest.mark.parametrize(("rule", "case"), spread(HIT_CASES, otherwise=16))
def test_rules_that_are_not_asked_have_nothing_to_say(
    rule: str, case: Hit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = unpack(case.image, tmp_path)
    asked = simulate(image, case.options).findings
    for module in list(NEEDS):
        monkeypatch.delitem(NEEDS, module)
    assert simulate(image, case.options).findings == asked


@pytest.mark.parametrize(("rule", "case"), HIT_CASES)
def test_hit(rule: str, case: Hit) -> None:
    verdict = seen(case)
    found = of_rule(verdict, rule)
    assert found, [finding.rule for finding in verdict.findings]
    assert str(found[0].severity) == case.severity
    assert "\n" not in found[0].message and found[0].message.endswith(".")
    if case.cured is not None:
        assert found[0].remedy and not found[0].remedy.startswith("# on the running")


@pytest.mark.parametrize("rule", sorted(all_rules()))
def test_miss(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image, options = MISSES.get(rule, ("images/boots", {}))
    verdict = simulate(unpack(image, tmp_path), options)
    assert not of_rule(verdict, rule)


@pytest.mark.parametrize(("rule", "case"), [param for param in HIT_CASES if param.values[1].cured is not None])
def test_remedy(rule: str, case: Hit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = unpack(case.image, tmp_path)
    size = image.stat().st_size
    for finding in of_rule(seen(case), rule):
        paste(finding.remedy, tmp_path)
    assert image.stat().st_size == size
    assert case.cured is not None
    after = simulate(tmp_path / case.boots_from, case.cured)
    assert after.outcome is Outcome.BOOTS, after.console
    assert case.stays or not of_rule(after, rule)


def paste(remedy: str, folder: Path) -> None:
    """Run a remedy as a shell does."""
    for tool in TOOLS.findall(remedy):
        require(tool)
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])
    done = subprocess.run(
        [require("bash"), "-c", f"set -o pipefail\n{remedy}"], cwd=folder, env={**os.environ, "PATH": search},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # e2fsck ends with 1 when it has mended something.
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.parametrize(("rule", "case"), HIT_CASES)
def test_what_boots_is_not_in_error(rule: str, case: Hit) -> None:
    verdict = seen(case)
    rules = all_rules()
    errors = [finding.rule for finding in verdict.findings if finding.severity == "error"]
    if verdict.boots_default:
        assert not [name for name in errors if not rules[name].outside]
    else:
        assert errors or case.severity == "warning", "nothing says why it does not boot"
