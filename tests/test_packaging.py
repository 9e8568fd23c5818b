"""What stands around the package does what it says: action, hooks, workflows, examples, README's first screen."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pvgrub_sim.cli import build_parser
from tests import schemas
from tests.images import unpack_sparse
from tests.tools import require
from tests.walk import problems, walk

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "fixtures" / "images"
EXAMPLES = ROOT / "docs" / "examples"
ACTION = "https://json.schemastore.org/github-action.json"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent


def load(path: Path) -> Any:
    """A YAML file; YAML 1.1 reads the key `on` as true, the runner does not."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()} if path in WORKFLOWS else document


def image(name: str, path: Path) -> Path:
    return unpack_sparse(IMAGES / f"{name}.img.zst", path)


def environment(**more: str) -> dict[str, str]:
    search = os.pathsep.join([str(BIN), os.environ["PATH"], "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": search, "LC_ALL": "C.UTF-8", **more}


def test_readmes_first_screen(tmp_path: Path) -> None:
    require("debugfs")
    image("demo", tmp_path / "demo.img")
    page = tmp_path / "page.md"
    page.write_text((ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0], encoding="utf-8")
    done = walk(page, tmp_path, environment())
    assert len(done) == 2 and not problems(done), "\n\n".join(problems(done))


# --- the action


def act(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's script with its inputs as the runner gives them; it finds the pvgrub-sim of the tests."""
    action = load(ROOT / "action.yml")
    step = action["runs"]["steps"][1]
    given = {name: told["default"] for name, told in action["inputs"].items() if "default" in told} | inputs
    names = {value: name for name, value in step["env"].items()}
    values = {names[f"${{{{ inputs.{name} }}}}"]: value for name, value in given.items() if name != "python"}
    (folder / "pvgrub-sim" / "bin").mkdir(parents=True, exist_ok=True)
    if not (link := folder / "pvgrub-sim" / "bin" / "pvgrub-sim").exists():
        link.symlink_to(BIN / "pvgrub-sim")
    return subprocess.run(
        [require("bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=environment(RUNNER_TEMP=str(folder), **values),
        capture_output=True,
        text=True,
        check=False,
    )


def test_action_is_valid_and_gives_inputs_as_variables() -> None:
    action = load(ROOT / "action.yml")
    assert schemas.problems(ACTION, action) == []
    assert all("${{" not in step["run"] for step in action["runs"]["steps"])


@pytest.mark.parametrize(("name", "status"), [("boots", 0), ("demo", 3), ("ext4-today", 1)])
def test_action_says_what_boot_says(name: str, status: int, tmp_path: Path) -> None:
    image(name, tmp_path / "disk one.img")
    done = act(tmp_path, images="disk one.img\n", pvgrub="amazon-1.05", sarif="report.sarif")
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("::")
    assert (tmp_path / "report.sarif").exists()


def test_action_takes_no_input_for_a_command(tmp_path: Path) -> None:
    done = act(
        tmp_path, images="$(touch made)\n--help\n; touch made", pvgrub="`touch made`", **{"fail-on": "$(touch made)"}
    )
    assert done.returncode == 2
    assert not (tmp_path / "made").exists()


# --- hooks and workflows


def test_hooks_are_commands_and_match_images() -> None:
    hooks = {hook["id"]: hook for hook in load(ROOT / ".pre-commit-hooks.yaml")}
    for hook in hooks.values():
        words = [*shlex.split(hook["entry"])[1:], *hook["args"]]
        parsed = build_parser().parse_args([*words, "--project=x.img", "file.img"])
        assert parsed.images == ["--project=x.img", "file.img"] and parsed.project is None
    images = re.compile(hooks["pvgrub-boot"]["files"])
    assert images.search("out/disk.img") and images.search("disk.qcow2") and images.search("disk.raw.zst")
    assert not images.search("disk.img.txt")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_valid_and_pinned(path: Path) -> None:
    workflow = load(path)
    assert schemas.problems(schemas.GITHUB_WORKFLOW, workflow) == []
    used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
    assert used and all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one) for one in used)
    for job in workflow["jobs"].values():
        assert all("${{" not in step.get("run", "") for step in job["steps"])


def test_the_job_that_publishes_runs_nothing_of_the_repository() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert all("run" not in step and "checkout" not in step["uses"] for step in jobs["publish"]["steps"])
    assert "id-token" not in jobs["build"]["permissions"]


# --- image builders


BUILDERS = {
    "kiwi.sh": (["description", "out"], "kiwi-ng", "out/disk.raw"),
    "diskimage-builder.sh": (["disk"], "disk-image-create", "disk.raw"),
    "mkosi.postoutput": ([], None, "out/image.raw"),
}


@pytest.mark.parametrize(("name", "status"), [("boots", 0), ("ext4-today", 1)])
@pytest.mark.parametrize("example", BUILDERS)
def test_examples_of_builders_look_at_the_image(example: str, name: str, status: int, tmp_path: Path) -> None:
    """The builder itself is stood in for: it has made the image already."""
    words, builder, made = BUILDERS[example]
    (tmp_path / "out").mkdir()
    image(name, tmp_path / made)
    tools = tmp_path / "bin"
    tools.mkdir()
    if builder:
        (tools / builder).write_text("#!/bin/sh\n", encoding="utf-8")
        (tools / builder).chmod(0o755)
    search = os.pathsep.join([str(tools), environment()["PATH"]])
    done = subprocess.run(
        [EXAMPLES / example, *words],
        cwd=tmp_path,
        env=environment(PATH=search, OUTPUTDIR="out"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert done.stdout


def test_packers_example_calls_what_is_there() -> None:
    text = (EXAMPLES / "packer.pkr.hcl").read_text(encoding="utf-8")
    (command,) = re.findall(r'inline = \["(pvgrub-sim [^"]*)"\]', text)
    build_parser().parse_args(shlex.split(command)[1:])
    assert text.count("{") == text.count("}")


def test_scripts_are_clean_for_shellcheck() -> None:
    scripts = [
        *(ROOT / "packaging").glob("*.sh"),
        *EXAMPLES.glob("*.sh"),
        EXAMPLES / "mkosi.postoutput",
        ROOT / ".ci" / "run",
    ]
    done = subprocess.run([require("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
