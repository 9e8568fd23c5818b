"""Which findings count, what is shown of them, and what the exit status comes to."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.tools import run as tool

FIXTURES = Path(__file__).parents[2] / "fixtures"
OLD = ["--pvgrub", "amazon-1.04"]
"""On an image that boots, this PV-GRUB gets one warning: aki-outdated."""


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """An image that boots by fallback, for its first kernel is missing."""
    return unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "demo.img")


def rules(run: Run, *words: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The rules of the findings that count, and those that do not, with the reasons."""
    run(["boot", *words, "--format", "json"])
    told = json.loads(run.out)
    return [one["rule"] for one in told["findings"]], [(one["rule"], one["reason"]) for one in told["ignored"]]


def test_a_finding_fails_an_image_that_boots_when_that_is_wished(run: Run) -> None:
    assert run(["boot", "{good}", *OLD]) == 0
    assert run(["boot", "{good}", *OLD, "--fail-on", "error"]) == 0
    assert run(["boot", "{good}", *OLD, "--fail-on", "warning"]) == 1
    assert run(["boot", "{good}", *OLD, "--fail-on", "note"]) == 1
    assert run(["boot", "{good}", *OLD, "--fail-on", "warning", "--ignore", "aki-outdated"]) == 0


def test_reports_take_it_as_the_failure_that_it_is(run: Run) -> None:
    words = ["boot", "{good}", *OLD, "--fail-on", "warning", "--format"]
    assert run([*words, "junit"]) == 1
    failure = ET.fromstring(run.out).find(".//failure")
    assert failure is not None and failure.get("message", "").endswith("counts as a failure here: aki-outdated.")
    assert run([*words, "github"]) == 1
    assert run.out.startswith(b"::error ")
    assert run([*words, "sarif"]) == 1
    assert [one["ruleId"] for one in json.loads(run.out)["runs"][0]["results"]] == ["pvgrub-outcome", "aki-outdated"]


def test_an_ignored_finding_is_told_and_in_no_plan(run: Run, demo: Path) -> None:
    assert rules(run, str(demo)) == (["kernel-missing"], [])
    assert rules(run, str(demo), "--ignore", "kernel-missing=made later") == ([], [("kernel-missing", "made later")])
    assert json.loads(run.out)["plan"] is None
    assert run(["boot", str(demo), "--ignore", "kernel-missing"]) == 3
    assert b"Ignored\n  error kernel-missing: no reason is given\n" in run.out


def test_sarif_suppresses_what_is_ignored(run: Run, demo: Path) -> None:
    run(["boot", str(demo), "--ignore", "kernel-missing=made later", "--format", "sarif"])
    (result,) = (one for one in json.loads(run.out)["runs"][0]["results"] if one["ruleId"] == "kernel-missing")
    assert result["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "made later"}]


def test_an_isolated_run_ignores_as_well(run: Run, demo: Path) -> None:
    assert rules(run, "--isolate", str(demo), "--ignore", "kernel-missing=x") == ([], [("kernel-missing", "x")])


def test_a_rule_that_is_none_is_refused(run: Run) -> None:
    assert run(["boot", "{good}", "--ignore", "nonsense"]) == 2
    run.refused()


def test_findings_below_a_severity_are_not_shown(run: Run) -> None:
    assert rules(run, "{good}", *OLD) == (["aki-outdated"], [])
    assert rules(run, "{good}", *OLD, "--severity", "error") == ([], [])


@pytest.mark.parametrize(
    "words",
    [
        ["--severity", "error", "--fail-on", "warning"],
        ["--console", "--format", "json"],
        ["--log", "--format", "junit"],
        ["--quiet", "--format", "sarif"],
        ["--ami-id", "ami-983231f6"],
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other(words: list[str], run: Run) -> None:
    assert run(["boot", "{good}", *words]) == 2
    run.refused()


def test_quiet_reports_only_what_fails(run: Run, demo: Path) -> None:
    assert run(["boot", "{good}", "--quiet"]) == 0
    assert (run.out, run.err) == (b"", b"")
    assert run(["boot", "{good}", str(demo), "--quiet"]) == 3
    assert run.out.startswith(f"{demo}: boots only by fallback\n".encode()) and run.good.name.encode() not in run.out
    assert run(["boot", str(demo), "--quiet", "--allow-fallback"]) == 0
    assert run.out == b""


def test_one_ami_of_several_is_taken(run: Run, tmp_path: Path) -> None:
    answer = json.loads((FIXTURES / "describe-images-sample.json").read_text("utf-8"))
    first = answer["Images"][0]
    answer["Images"] = [first, {**first, "ImageId": "ami-11111111", "RootDeviceName": "/dev/sdf"}]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer), "utf-8")
    assert run(["boot", "{good}", "--ami", "{}"], path) == 2
    assert b"say which (--ami-id)" in run.err
    for ami, device in (("ami-983231f6", b"vbd 2049 is hd0"), ("ami-11111111", b"vbd 2128 is hd0")):
        assert run(["boot", "{good}", "--ami", "{}", "--ami-id", ami, "--console"], path) == 0, run.err
        assert run.out.startswith(device)
    assert run(["boot", "{good}", "--ami", "{}", "--ami-id", "ami-0"], path) == 2
    run.refused()


def test_devices_are_listed_and_a_path_without_one_is_explained(run: Run, tmp_path: Path) -> None:
    disks = FIXTURES / "conformance" / "disks"
    logical = unpack_sparse(disks / "layout-logical6.img.zst", tmp_path / "logical.img")
    assert run(["ls", str(logical)]) == 0
    assert run.out.split()[0] == b"(hd0)" and b"(hd0,5)" in run.out.split()
    assert run(["ls", "-l", str(logical)]) == 0
    assert b"ext2fs" in next(line for line in run.out.splitlines() if b"(hd0,5)" in line)
    assert run(["ls", "-0", "{good}"]) == 0
    assert run.out == b"(hd0)\0"
    for command in ("ls", "cat"):
        assert run([command, str(logical), "/boot"]) == 2
        assert b"write '(hd0,5)/boot'" in run.err
        run.refused()


def test_the_devices_are_those_of_the_partition_table(tmp_path: Path, run: Run) -> None:
    """Held against what sfdisk prints of the same image."""
    disks = FIXTURES / "conformance" / "disks"
    logical = unpack_sparse(disks / "layout-logical6.img.zst", tmp_path / "logical.img")
    table = json.loads(tool("sfdisk", "--json", logical))["partitiontable"]
    assert run(["ls", "-l", str(logical)]) == 0
    listed = {line.split()[1].decode(): int(line.split()[0]) for line in run.out.splitlines()}
    for partition in table["partitions"]:
        number = int(partition["node"].removeprefix(str(logical))) - 1
        if partition["type"] != "5":
            assert listed[f"(hd0,{number})"] == partition["size"] * 512
