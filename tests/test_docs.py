"""The documentation: it builds, it is current, and what can be run of it is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import pvgrub_sim
from docs import generate
from pvgrub_sim.cli import build_parser
from pvgrub_sim.model import Plan, PlanStep
from pvgrub_sim.report.json_report import as_json
from tests import schemas
from tests.report import verdicts
from tests.tools import require, run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
IMAGES = ROOT / "fixtures" / "images"
PAGES = sorted(DOCS.glob("*.md"))

pytest_plugins = ["pytester"]


# --- the site


@pytest.mark.parametrize(("path", "write"), generate.PAGES, ids=lambda value: getattr(value, "name", ""))
def test_generated_pages_are_current(path: Path, write: Callable[[], str]) -> None:
    assert path.read_text(encoding="utf-8") == write(), "run: python docs/generate.py"


def test_site_builds_strictly(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()


def test_site_builds_strictly_with_zensical(tmp_path: Path) -> None:
    """By what mkdocs-material's makers have made in its place, from the same configuration."""
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    words = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path.parent.name for path in (tmp_path / "build" / "site").glob("*/index.html")}
    assert {page.stem for page in PAGES if page.name != "index.md"} <= built


def test_every_page_is_in_the_navigation() -> None:
    # mkdocs.yml has nothing that the safe loader does not know.
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(_pages(nav)) == [page.name for page in PAGES]


def _pages(nav: list[dict[str, Any]]) -> list[str]:
    found = []
    for item in nav:
        for value in item.values():
            found += [value] if isinstance(value, str) else _pages(value)
    return found


def test_man_page_has_no_mistakes() -> None:
    done = subprocess.run(
        [require("groff"), "-man", "-ww", "-Tutf8", str(generate.MAN_PAGE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "EXIT STATUS" in re.sub(".\x08|\x1b\\[[0-9;]*m", "", done.stdout)


def test_every_command_stands_in_both_pages() -> None:
    for command in generate.commands(build_parser()):
        assert f"# `{command.name}`" in generate.CLI_PAGE.read_text(encoding="utf-8")
        assert command.description, f"{command.name} has no description"


def _commands_in(page: Path) -> list[str]:
    return re.findall(r"^\$ (pvgrub-sim .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


COMMANDS = [(page.name, line) for page in (*PAGES, ROOT / "README.md") for line in _commands_in(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_in_the_pages_are_understood(page: str, line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)
    try:
        build_parser().parse_args(words[1:])
    except SystemExit as done:
        assert done.code == 0, "--version and --help end at once, and well"


# --- json.md


def _documented_fields() -> dict[str, set[str]]:
    """The fields of each section of docs/json.md that has a table of fields."""
    fields: dict[str, set[str]] = {}
    section = ""
    table = False
    for line in (DOCS / "json.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.startswith("| field |"):
            table = True
        elif not line.startswith("|"):
            table = False
        elif table and (match := re.match(r"\| `(\w+)` \|", line)):
            fields.setdefault(section, set()).add(match[1])
    return fields


def test_json_page_names_every_field_and_no_other() -> None:
    step = PlanStep(("kernel-missing",), "why", "edit", "what", "(hd0)/boot/grub/menu.lst", "run")
    planned = as_json(verdicts.fallback()._replace(plan=Plan(True, (step,), "true", ())))
    told = planned | {"layout": as_json(verdicts.boots())["layout"]}
    documented = _documented_fields()
    assert documented.pop("An image") == set(told)
    assert documented.pop("profile") == set(told["profile"])
    assert documented.pop("plan") == set(told["plan"])
    assert all(f"`{field}`" in (DOCS / "json.md").read_text("utf-8") for field in told["plan"]["steps"][0])
    assert documented.pop("kernel and initrd") == set(as_json(verdicts.boots())["initrd"])
    for section, fields in documented.items():
        assert fields == {key for item in told[section] for key in item}, section


# --- the examples


def _image(name: str, folder: Path) -> Path:
    path = folder / "disk.img"
    run(sys.executable, ROOT / "fixtures" / "scripts" / "unpack.py", IMAGES / f"{name}.img.zst", path)
    return path


def _shell(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step of a pipeline: the build and pip are stood in for, the rest is real."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for path, text in ((tools / "pip", "exit 0"), (folder / "build-image.sh", 'test -s "$1"')):
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    search = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [require("bash"), "-e", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": search} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _yaml(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "schema"), [("github-actions.yml", schemas.GITHUB_WORKFLOW), ("gitlab-ci.yml", schemas.GITLAB_CI)]
)
def test_example_is_valid_against_the_published_schema(name: str, schema: str) -> None:
    # YAML 1.1 reads the key `on` as true; the runner does not.
    document = {"on" if key is True else key: value for key, value in _yaml(name).items()}
    assert schemas.problems(schema, document) == []


@pytest.mark.parametrize(("image", "status"), [("boots", 0), ("ext4-today", 1)])
def test_github_actions_example_runs(tmp_path: Path, image: str, status: int) -> None:
    _image(image, tmp_path)
    steps = _yaml("github-actions.yml")["jobs"]["boots"]["steps"]
    done = [_shell(step["run"], tmp_path) for step in steps if "run" in step]
    assert [step.returncode for step in done] == [0, 0, status, 0], [step.stderr for step in done]
    assert done[2].stdout.startswith("::notice file=disk.img" if status == 0 else "::error file=disk.img")
    uploads = [step["with"] for step in steps if "upload" in step.get("uses", "")]
    uploaded = [given.get("sarif_file") or given["path"] for given in uploads]
    assert uploaded == ["pvgrub.sarif", "pvgrub.html"]
    sarif = json.loads((tmp_path / uploaded[0]).read_text(encoding="utf-8"))
    assert schemas.problems(schemas.SARIF, sarif) == []
    assert (tmp_path / uploaded[1]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("image", "status"), [("boots", 0), ("ext4-today", 1)])
def test_gitlab_example_runs(tmp_path: Path, image: str, status: int) -> None:
    _image(image, tmp_path)
    pipeline = _yaml("gitlab-ci.yml")
    for job in ("build-image", "boots"):
        done = _shell("\n".join(pipeline[job]["script"]), tmp_path)
        assert done.returncode == (status if job == "boots" else 0), done.stderr
    artifacts = pipeline["boots"]["artifacts"]
    for name in (*artifacts["paths"], artifacts["reports"]["junit"]):
        assert (tmp_path / name).stat().st_size > 0


def test_pytest_example_passes_and_fails_as_it_should(pytester: pytest.Pytester) -> None:
    test = pytester.makepyfile((EXAMPLES / "test_image.py").read_text(encoding="utf-8"))
    _image("boots", pytester.path)
    pytester.runpytest_inprocess(test, "-p", "no:cacheprovider").assert_outcomes(passed=5)
    _image("ext4-today", pytester.path)
    result = pytester.runpytest_inprocess(test, "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["E  *assert 'prompt' == 'boots'", "*- pvgrub-sim: disk.img -*"])


def test_public_names_of_the_examples_exist() -> None:
    for page in PAGES:
        for names in re.findall(r"^from pvgrub_sim import (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(names.split(", ")) <= set(pvgrub_sim.__all__)
