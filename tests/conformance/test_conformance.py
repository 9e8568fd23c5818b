"""Every recorded case: what PV-GRUB did with an image is what the simulation says it does."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim.verdict import boot
from tests.conformance.compare import differences
from tests.conformance.expected_failures import EXPECTED_FAILURES
from tests.images import unpack_sparse
from tests.rounds import rounds

CASES = Path(__file__).parents[2] / "fixtures" / "conformance"
AREAS = ("menus", "kernels", "disks", "amazon")


def load_cases() -> list[tuple[str, dict[str, Any]]]:
    return [
        (area, json.loads(line))
        for area in AREAS
        for line in (CASES / area / "cases.jsonl").read_text("utf-8").splitlines()
    ]


def parameters() -> list[Any]:
    found = []
    for area, case in load_cases():
        name = f"{area}/{case['case']}"
        if case.get("undefined"):
            continue
        reason = EXPECTED_FAILURES.get(name)
        marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
        found.append(pytest.param(area, case, id=name, marks=marks))
    return found


@pytest.mark.parametrize(("area", "case"), parameters())
def test_case(area: str, case: dict[str, Any], tmp_path: Path) -> None:
    """Findings are looked for as well, outside CI on a third of the images: they may not change what is simulated."""
    image = unpack_sparse(CASES / area / case["image"], tmp_path / "disk.img")
    if area == "amazon":
        version = case["profile"].removeprefix("amazon-")
        options = {"aki": f"pv-grub-{case['aki_device']}_{version}-{case['arch']}.gz"}
    else:
        options = {"pvgrub": "xen-4.17", "arch": case["arch"], "config": case["config"]}
    verdict = boot(image, findings=zlib.crc32(case["case"].encode()) % rounds(1, otherwise=3) == 0, **options)
    image.unlink()
    assert not (found := differences(case, verdict)), f"{case['what']}\n" + "\n".join(found)


def test_undefined_cases_end_all_the_same(tmp_path: Path) -> None:
    """Where PV-GRUB depends on overrun memory no answer is right, but there must be one."""
    undefined = [(area, case) for area, case in load_cases() if case.get("undefined")]
    assert undefined
    for area, case in undefined:
        image = unpack_sparse(CASES / area / case["image"], tmp_path / "disk.img")
        assert boot(image, pvgrub="xen-4.17", arch=case["arch"], config=case["config"]).outcome


def test_expected_failures_name_cases() -> None:
    names = {f"{area}/{case['case']}" for area, case in load_cases()}
    assert set(EXPECTED_FAILURES) <= names
