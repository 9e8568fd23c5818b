"""An image that is no raw one gets advice in words: the tools of a remedy would take it for raw, and destroy it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.findings.cases import HITS, Hit
from tests.findings.test_rules import simulate, unpack
from tests.media.containers import convert

FIRST = {rule: hits[0] for rule, hits in HITS.items() if "image_format" not in hits[0].options}


@pytest.mark.parametrize("rule", FIRST)
def test_no_remedy_changes_a_qcow2(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    case: Hit = FIRST[rule]
    (tmp_path / "raw").mkdir()
    raw = unpack(case.image, tmp_path / "raw")
    image = convert(raw, tmp_path / "disk.img", "qcow2")
    raw.unlink()
    before = hashlib.sha256(image.read_bytes()).digest()
    found = simulate(image, case.options).findings
    assert rule in {finding.rule for finding in found}
    places = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]
    for finding in found:
        for line in finding.remedy.splitlines():
            assert "disk.img" not in line or line.startswith(("#", "pvgrub-sim ", "qemu-img convert ")), line
        # A remedy is a script, or comments: whatever it is, it is carried out.
        words = ["bash", "-c", finding.remedy]
        environment = os.environ | {"PATH": os.pathsep.join(places)}
        subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=60, env=environment)
        assert hashlib.sha256(image.read_bytes()).digest() == before
