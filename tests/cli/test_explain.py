"""`pvgrub-sim explain`, and the AMI's options of `pvgrub-sim boot`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim.cli import main
from pvgrub_sim.findings import FAMILIES, all_rules
from pvgrub_sim.findings.pages import ABOUT
from tests.findings.cases import SAMPLE
from tests.findings.test_rules import unpack


def test_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "ext4-64bit"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ext4-64bit (error, filesystem)\n")
    assert "resize2fs -s" in out and "**" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_all_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(all_rules())


def test_an_unknown_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "ext4-64bits"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "pvgrub-sim: no rule is called 'ext4-64bits'; did you mean ext4-64bit, ext4-extents?\n"


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_every_page_tells_remedy_and_source(rule: Any) -> None:
    assert "**Remedy.**" in rule.doc and "**Source.**" in rule.doc
    assert rule.title[0].isupper() and not rule.title.endswith(".")


def test_every_family_has_a_heading() -> None:
    assert list(FAMILIES) == list(ABOUT)
    assert {rule.family for rule in all_rules().values()} == set(FAMILIES)


def boot_with(ami: object, folder: Path, *words: str) -> int:
    path = folder / "ami.json"
    path.write_text(ami if isinstance(ami, str) else json.dumps(ami))
    return main(["boot", "--format", "json", "--ami", str(path), *words, str(unpack("images/boots", folder))])


def test_the_ami_names_the_aki(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert boot_with({"Images": [SAMPLE]}, tmp_path) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["profile"] == {"name": "amazon-1.04", "arch": "x86_64", "aki": "aki-176bf516", "device": "hd0"}
    assert [one["rule"] for one in told["findings"]] == ["aki-outdated"]


def test_the_command_line_has_the_last_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert boot_with({"Images": [SAMPLE]}, tmp_path, "--pvgrub", "amazon-1.05", "--ari", "ari-1234") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["profile"]["name"] == "amazon-1.05"
    assert [one["rule"] for one in told["findings"]] == ["ari-with-pvgrub"]


@pytest.mark.parametrize(
    "ami",
    ["", "nonsense", {"Images": []}, {"Images": [SAMPLE, SAMPLE]}, {"Images": [{**SAMPLE, "ImageType": "kernel"}]}],
)
def test_bad_descriptions(ami: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert boot_with(ami, tmp_path) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "ami.json" in captured.err


def test_a_missing_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", "--ami", str(tmp_path / "none.json"), str(unpack("images/boots", tmp_path))]) == 2
    assert capsys.readouterr().err.count("\n") == 1
