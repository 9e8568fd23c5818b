"""The project file: where it is looked for, what it may say, and what the command line takes back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pvgrub_sim.cli import project
from tests.cli.running import Run
from tests.cli.test_startup import imported
from tests.images import unpack_sparse

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAME = project.OWN_NAME


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, outside of any repository."""
    path = tmp_path / "work"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def version(run: Run, *words: str) -> str:
    """The PV-GRUB that runs."""
    assert run(["boot", "{good}", "--format", "json", *words]) in (0, 1), run.err
    name: str = json.loads(run.out)["profile"]["name"]
    return name


def test_options_are_taken_from_the_working_directory(run: Run, folder: Path) -> None:
    assert version(run) == "amazon-1.05"
    (folder / NAME).write_text('pvgrub = "amazon-1.03"\nfail-on = "warning"\n[ignore]\n"aki-outdated" = "as it was"\n')
    assert version(run) == "amazon-1.03"
    assert json.loads(run.out)["ignored"][0]["reason"] == "as it was"
    assert version(run, "--no-project") == "amazon-1.05"


def test_the_command_line_has_the_last_word(run: Run, folder: Path) -> None:
    (folder / NAME).write_text('pvgrub = "amazon-1.03"\narch = "i386"\nignore = ["aki-outdated"]\nformat = "sarif"\n')
    assert version(run, "--arch", "auto", "--pvgrub", "amazon-1.02") == "amazon-1.02"
    assert json.loads(run.out)["profile"]["arch"] == "x86_64"
    # What excludes an option of the file takes its place.
    assert version(run, "--aki", "pv-grub-hd0_1.04-x86_64.gz", "--arch", "auto") == "amazon-1.04"
    # Lists add up.
    version(run, "--arch", "auto", "--ignore", "kernel-missing")
    assert [one["rule"] for one in json.loads(run.out)["ignored"]] == ["aki-outdated"]


def test_pyproject_has_a_table_for_it(run: Run, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "pvgrub-sim"\n')
    assert version(run) == "amazon-1.05"
    (folder / "pyproject.toml").write_text('[tool.pvgrub-sim]\npvgrub = "amazon-1.02"\n')
    assert version(run) == "amazon-1.02"
    (folder / NAME).write_text('pvgrub = "amazon-1.03"\n')
    assert version(run) == "amazon-1.03", "the file of its own comes first"


def test_folders_above_count_inside_a_repository_only(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / NAME).write_text('pvgrub = "amazon-1.03"\n')
    (folder.parent / NAME).write_text('pvgrub = "amazon-1.01"\n')
    (folder / "images" / "old").mkdir(parents=True)
    monkeypatch.chdir(folder / "images" / "old")
    assert version(run) == "amazon-1.05"
    (folder / ".git").mkdir()
    assert version(run) == "amazon-1.03"
    (folder / NAME).unlink()
    assert version(run) == "amazon-1.05", "not above the repository"


def test_no_project_file_of_an_image_is_taken(run: Run, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / NAME).write_text('pvgrub = "amazon-1.01"\n')
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", elsewhere / "disk.img")
    assert run(["boot", str(image), "--format", "json"]) == 0
    assert json.loads(run.out)["profile"]["name"] == "amazon-1.05"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, which root alone can")
def test_a_file_of_somebody_else_is_not_taken(run: Run, folder: Path) -> None:
    path = folder / NAME
    path.write_text('pvgrub = "amazon-1.01"\n')
    os.chown(path, 65534, 65534)
    assert version(run) == "amazon-1.05"
    assert run.err.endswith(b"belongs to somebody else and is not taken; --project names it all the same\n")
    assert version(run, "--project", str(path)) == "amazon-1.01"
    assert run.err == b""


def test_a_file_that_anybody_may_write_is_not_taken(run: Run, folder: Path) -> None:
    (folder / NAME).write_text('pvgrub = "amazon-1.01"\n')
    (folder / NAME).chmod(0o666)
    assert version(run) == "amazon-1.05"


@pytest.mark.parametrize(
    "text",
    [
        'output = "/etc/passwd"',
        'output = "../report.txt"',
        'output = "\\u0000report.txt"',
        'disk = ["/dev/sdb=/dev/null"]',
        'disk = ["/dev/sdb=http://127.0.0.1/x"]',
        'allow-backing = ["/"]',
        'cache = ".."',
        'keys = "link/keys"',
    ],
)
def test_a_file_that_was_found_names_nothing_outside(text: str, run: Run, folder: Path) -> None:
    (folder / "link").symlink_to("/")
    (folder / NAME).write_text(text)
    assert run(["boot", "{good}"]) == 2
    run.refused()
    assert b"is not below the file's folder" in run.err


def test_files_are_seen_from_the_project_file(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".git").mkdir()
    (folder / "keys").write_text("idle ctrl-c\n")
    (folder / "sub").mkdir()
    (folder / NAME).write_text('keys = "keys"\noutput = "report.txt"\n')
    monkeypatch.chdir(folder / "sub")
    run(["boot", "{good}"])
    assert run.err == b"" and (folder / "report.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x", b"is no TOML"),
        ("[" * 5000, b"is no TOML"),
        ("\0", b"is no TOML"),
        ("colour = true", b"colour: is no option"),
        ("help = true", b"help: is no option"),
        ("no-project = true", b"no-project: is no option"),
        ("quiet = 1", b"quiet: wants true or false"),
        ('arch = "arm"', b"arch: 'arm' is none of"),
        ("memory = true", b"memory: wants"),
        ('memory = "much"', b"memory: 'much' will not do"),
        ("ignore = [1]", b"ignore: wants a list"),
        ('ignore = "x"', b"ignore: wants a list"),
        ('ignore = {a = "x", b = 1}', b"ignore: wants a list"),
        ('aki = "aki-176bf516"\npvgrub = "xen-4.17"', b"--aki and --pvgrub exclude each other"),
        ("timeout = -1", b"timeout: '-1' will not do"),
        ("device = 2026-01-01", b"device: wants a text"),
        (f"memory = 0x{'f' * 5000}", b"memory: is too large a number"),
        ("memory = inf", b"memory: 'inf' will not do"),
        ("timeout = nan", b"timeout: 'nan' will not do"),
        (f"{'a.' * 500_000}b = 1", b"more dots than a key has"),
        ("\n".join(f"[{'a.' * 2000}b{number}]" for number in range(200)), b"more dots than a key has"),
        ('xl-config = "guest.cfg"', b"xl-config: names disks wherever they lie"),
        ('output = ".git/hooks/pre-commit"', b"output: is no place for a report"),
        ('output = "hooks/pre-commit"', b"output: is no place for a report"),
        ('output = "program"', b"output: is no place for a report"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_names_it(text: str, word: bytes, run: Run, folder: Path) -> None:
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / "hooks").symlink_to(".git/hooks")
    (folder / "program").write_text("true\n")
    (folder / "program").chmod(0o755)
    (folder / NAME).write_text(text)
    assert run(["boot", "{good}"]) == 2
    run.refused()
    assert word in run.err and os.fsencode(folder / NAME) in run.err


def test_a_file_that_is_none_is_refused_or_passed_over(run: Run, folder: Path, tmp_path: Path) -> None:
    assert run(["boot", "{good}", "--project", str(tmp_path / "absent")]) == 2
    run.refused()
    os.mkfifo(folder / NAME)
    assert version(run) == "amazon-1.05"
    (folder / NAME).unlink()
    (folder / NAME).write_bytes(b"#" * (project.LARGEST + 1))
    assert run(["boot", "{good}"]) == 2
    run.refused()


def test_fix_and_console_take_what_is_theirs(run: Run, folder: Path, tmp_path: Path) -> None:
    demo = unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "demo.img")
    (folder / "keys").write_text("idle enter\n")
    (folder / NAME).write_text(
        'pvgrub = "amazon-1.04"\nformat = "sarif"\nignore = {kernel-missing = "later"}\nquiet = true\n'
    )
    assert run(["fix", str(demo), "--dry-run", "--format", "json"]) == 1
    fixed = json.loads(run.out)
    assert fixed["before"]["profile"]["name"] == "amazon-1.04" and fixed["steps"] == []
    assert run(["console", "{good}", "--keys", str(folder / "keys")]) == 0


def test_toml_is_read_only_where_there_is_some(good: Path, folder: Path) -> None:
    assert "tomllib" not in imported("boot", str(good))
    (folder / NAME).write_text("quiet = true\n")
    assert "tomllib" in imported("boot", str(good))
