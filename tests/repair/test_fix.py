"""`pvgrub-sim fix` on every fixture of the rules that has a plan: it boots afterwards, and nothing was lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import UsageError, boot, fix, render_report
from pvgrub_sim.cli import main
from tests.findings.cases import HITS, Hit
from tests.findings.test_rules import unpack
from tests.tools import require, run

CASES = {
    f"{case.image}-{json.dumps(case.options, sort_keys=True)}": case
    for cases in HITS.values()
    for case in cases
    if "ami" not in case.options and "ari" not in case.options
}
DEMO = Hit("images/demo", "error")


def fixture(case: Hit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for tool in ("debugfs", "e2fsck", "resize2fs", "sfdisk", "sgdisk", "mcopy"):
        require(tool)
    monkeypatch.chdir(folder)
    return unpack(case.image, folder)


def places(image: Path) -> list[tuple[int, int]]:
    """Start and size of each partition as sfdisk tells them; none where there is no table."""
    done = subprocess.run([require("sfdisk"), "-J", image], capture_output=True, check=False)
    if done.returncode:
        return []
    return sorted(
        (row["start"], row["size"]) for row in json.loads(done.stdout)["partitiontable"].get("partitions", [])
    )


def files_of(image: Path, offset: int) -> dict[str, int]:
    """The files of an ext filesystem with their sizes, as debugfs tells them."""
    device = f"{image}?offset={offset}" if offset else str(image)
    found: dict[str, int] = {}
    todo = ["/"]
    while todo:
        folder = todo.pop()
        done = subprocess.run(
            [require("debugfs"), "-R", f'ls -p "{folder}"', device], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            fields = line.split("/")
            # On anything but ext debugfs says what it found instead.
            if len(fields) < 7 or not fields[1].isdigit() or fields[5] in (".", "..", "") or fields[1] == "0":
                continue
            path = folder.rstrip("/") + "/" + fields[5]
            if fields[2].startswith("04"):
                todo.append(path)
            else:
                found[path] = int(fields[6] or 0)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_carried_out_and_loses_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    image = fixture(case, tmp_path, monkeypatch)
    options: dict[str, Any] = case.options
    before = image.read_bytes()
    held = {offset: files_of(image, offset) for offset in (0, *(start * 512 for start, _ in places(image)))}
    verdict = boot(image.name, **options)
    fixed = fix(image.name, "out.img", **options)
    assert image.read_bytes() == before, "the image is only read"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    if verdict.plan is not None and verdict.plan.proven:
        assert fixed.mended, [step.result for step in fixed.steps]
    if not fixed.mended:
        assert not Path("out.img").exists() and fixed.output == ()
        assert fixed.after.findings, "nothing says why"
        return
    assert all(step.ok for step in fixed.steps)
    assert places(Path("out.img")) == places(image)
    assert Path("out.img").stat().st_size == image.stat().st_size
    written = sum(size for path, size in files_of(Path("out.img"), 0).items() if path.endswith(".orig"))
    assert Path("out.img").stat().st_blocks * 512 <= image.stat().st_blocks * 512 * 1.05 + written + (1 << 20)
    for offset, files in held.items():
        now = files_of(Path("out.img"), offset)
        sizes = sorted(now.values())
        for path, size in files.items():
            assert path in now or size in sizes, f"{path} is lost"
        if now:
            run("e2fsck", "-fn", f"out.img?offset={offset}" if offset else "out.img")


@pytest.mark.parametrize("name", ["btrfs", "btrfs-partition"])
def test_a_btrfs_gets_a_boot_disk_with_the_files_of_its_boot(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("btrfs")
    image = fixture(Hit(f"rules/{name}"), tmp_path, monkeypatch)
    before = image.read_bytes()
    fixed = fix(image.name, "out.img")
    assert fixed.mended, [step.result for step in fixed.steps]
    assert fixed.output == ("out.img", "out.img.boot.img")
    assert Path("out.img").read_bytes() == before, "the btrfs itself stays as it was"
    run("e2fsck", "-fn", "out.img.boot.img")
    assert boot("out.img.boot.img", disks={"/dev/sdf": "out.img"}).boots_default
    # The files as btrfs-progs take them out by themselves.
    start = (places(image) or [(0, 0)])[0][0] * 512
    Path("alone.img").write_bytes(before[start:])
    Path("tree").mkdir()
    run("btrfs", "restore", "alone.img", "tree")
    for file in (path for path in Path("tree/boot").rglob("*") if path.is_file() and path.name != "menu.lst"):
        done = subprocess.run(
            [require("debugfs"), "-R", f'cat "/{file.relative_to("tree")}"', "out.img.boot.img"],
            capture_output=True,
            check=True,
        )
        assert done.stdout == file.read_bytes(), file


def test_no_partial_image_is_written_unless_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(Hit("rules/bad-argument", "error"), tmp_path, monkeypatch)
    assert main(["fix", image.name, "-o", "out.img"]) == 1
    assert not Path("out.img").exists()
    assert main(["fix", image.name, "-o", "out.img", "--keep-partial"]) == 1
    assert Path("out.img").read_bytes() == image.read_bytes()


def test_in_place_keeps_mode_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    image.chmod(0o640)
    assert main(["fix", image.name, "--in-place"]) == 0
    assert image.stat().st_mode & 0o777 == 0o640
    assert boot(image.name).boots_default
    assert [path.name for path in tmp_path.iterdir()] == [image.name]


def test_a_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    before = image.read_bytes()
    assert main(["fix", image.name, "--dry-run"]) == 0
    assert image.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [image.name]


def test_an_output_that_exists_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    Path("there").write_text("mine")
    Path("link.img").hardlink_to(image)
    with pytest.raises(UsageError, match="exists already"):
        fix(image.name, "there")
    assert Path("there").read_text() == "mine"
    for name in (image.name, "link.img"):
        assert main(["fix", image.name, "-o", name]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_a_missing_tool_is_one_line_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pvgrub_sim.repair.tools.SYSTEM_FOLDERS", ())
    assert main(["fix", image.name, "-o", "out.img"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "(Debian package e2fsprogs)" in error
    assert [path.name for path in tmp_path.iterdir()] == [image.name]


def test_only_and_ignore_choose_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    assert main(["fix", image.name, "--dry-run", "--ignore", "kernel-missing"]) == 1
    assert main(["fix", image.name, "--dry-run", "--only", "kernel-missing"]) == 0
    assert main(["fix", image.name, "--dry-run", "--only", "no-such-rule"]) == 2


SCRIPTS = {name: case for name, case in CASES.items() if case.cured is not None and case.boots_from == "disk.img"}


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_of_a_plan_does_the_same(
    name: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = SCRIPTS[name]
    image = fixture(case, tmp_path, monkeypatch)
    verdict = boot(image.name, **case.options)
    if verdict.plan is None or not verdict.plan.proven:
        return
    report = render_report([verdict])
    assert f"\n{verdict.plan.script}\n" in report, "at the left margin, so that it works as it is copied"
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])
    done = subprocess.run(
        [require(shell), "-c", verdict.plan.script], capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": search},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone = not any(step.target == "boot.img" for step in verdict.plan.steps)
    pair = {} if alone else {"disks": {"/dev/sdf": image.name, **(case.options.get("disks") or {})}}
    after = boot(image.name if alone else "boot.img", **{**case.options, **pair})
    assert after.boots_default, after.console
    assert alone == (not Path("boot.img").exists())


def test_a_script_that_was_carried_out_stops_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    assert main(["fix", image.name, "--script", "plan.sh"]) == 0
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])
    environment = {**os.environ, "PATH": search}
    assert subprocess.run([require("dash"), "plan.sh"], check=False, env=environment).returncode == 0
    mended = image.read_bytes()
    second = subprocess.run([require("dash"), "plan.sh"], check=False, env=environment, capture_output=True, text=True)
    assert second.returncode == 1 and "nothing was done after it" in second.stderr
    assert image.read_bytes() == mended


def test_the_report_is_text_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(Hit("rules/xfs-v5", "error"), tmp_path, monkeypatch)
    assert main(["fix", image.name, "-o", "out.img", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["boot_disk"], told["mended"]) == ("out.img", "out.img.boot.img", True)
    assert told["before"]["boots_default"] is False and told["after"]["boots_default"] is True
    assert told["steps"][0]["rule"] == "xfs-v5" and any("mke2fs" in line for line in told["steps"][0]["commands"])
    assert main(["fix", image.name, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^Mended: the default entry boots\.$", text, re.M) and "Nothing was written." in text
