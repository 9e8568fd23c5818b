"""Every format on verdicts of real runs: the bundled images and some of the recorded cases."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pvgrub_sim import Outcome, Verdict, boot
from pvgrub_sim.report import REPORT_FORMATS, render_report, words
from tests import schemas
from tests.report.html_page import Page
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
CONFORMANCE = FIXTURES / "conformance"
BUNDLED = sorted(path.name.removesuffix(".img.zst") for path in (FIXTURES / "images").glob("*.img.zst"))


def _recorded() -> dict[Outcome, dict[str, str]]:
    """The first recorded menu case of each outcome."""
    found: dict[Outcome, dict[str, str]] = {}
    for line in (CONFORMANCE / "menus" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if not case.get("undefined"):
            found.setdefault(Outcome(case["outcome"]), case)
    return found


RECORDED = _recorded()


def unpack(packed: Path, folder: Path) -> Path:
    image = folder / packed.name.removesuffix(".zst")
    subprocess.run([sys.executable, FIXTURES / "scripts" / "unpack.py", packed, image], check=True)
    return image


def check(verdict: Verdict) -> None:
    told = {name: render_report([verdict], name) for name in REPORT_FORMATS}
    assert json.loads(told["json"])["outcome"] == verdict.outcome
    assert schemas.problems(schemas.SARIF, json.loads(told["sarif"])) == []
    suite = ET.fromstring(told["junit"])[0]
    assert (suite.get("failures") == "0") is (words.status(verdict) is words.Status.BOOTS)
    Page(told["html"])
    assert told["github"].startswith("::")
    sentence = words.headline(verdict)
    for name in ("json", "sarif", "junit", "html", "github"):
        assert told[name].strip()
    assert " ".join(sentence.split()) in " ".join(told["text"].split())
    assert sentence.startswith("PV-GRUB boots" if verdict.outcome is Outcome.BOOTS else "The instance ")


@pytest.mark.parametrize("name", BUNDLED)
def test_every_format_on_a_bundled_image(tmp_path: Path, name: str) -> None:
    check(boot(unpack(FIXTURES / "images" / f"{name}.img.zst", tmp_path)))


def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    """debugfs takes the files out by itself."""
    image = unpack(FIXTURES / "images" / "boots.img.zst", tmp_path)
    report = render_report([boot(image)])
    for name, path in (("kernel", "/boot/vmlinuz"), ("initrd", "/boot/initrd.img")):
        data = run("debugfs", "-R", f"cat {path}", image)
        told = f"  {name:<10} {path}, {len(data):,} bytes, CRC-32 {zlib.crc32(data):08x}"
        assert re.search(rf"^{re.escape(told)}.*\n +SHA-256 {hashlib.sha256(data).hexdigest()}$", report, re.MULTILINE)


@pytest.mark.parametrize("outcome", RECORDED, ids=str)
def test_every_format_on_a_recorded_case(tmp_path: Path, outcome: Outcome) -> None:
    case = RECORDED[outcome]
    image = unpack(CONFORMANCE / "menus" / case["image"], tmp_path)
    verdict = boot(image, pvgrub="xen-4.17", arch=case["arch"], config=case["config"])
    check(verdict)
