"""Names of images: which files and addresses they mean, and what is said where they mean nothing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.media.web import serving

IMAGES = Path(__file__).parents[2] / "fixtures" / "images"
BOOTS, FALLS_BACK = "boots", "boots only by fallback"


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files of all kinds of names; that which begins with `file:` boots by fallback."""
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    for name in ("[x].img.raw", "z.img", "a b.img"):
        shutil.copyfile(good, there / name)
    unpack_sparse(IMAGES / "demo.img.zst", there / "file:z.img")
    for name in ("http:", "file:d"):
        (there / name).mkdir()
        shutil.copyfile(good, there / name / "y.img")
    return there


def told(run: Run) -> dict[str, str]:
    """Each image's name in the report, and what came of it."""
    found = re.findall(rf"(?m)^(\S.*): ({BOOTS}|{FALLS_BACK})$", run.out.decode())
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["file:[x].img.raw"], {"[x].img.raw": BOOTS}),
        (["[x].img.raw"], {"[x].img.raw": BOOTS}),
        # As the shell gives the names.
        (["file:z.img", "z.img"], {"file:z.img": FALLS_BACK, "z.img": BOOTS}),
        (["*z.img"], {"file:z.img": FALLS_BACK, "z.img": BOOTS}),
        (["file:z*.img"], {"z.img": BOOTS}),
        (["./z.img", "file:a b.img"], {"./z.img": BOOTS, "a b.img": BOOTS}),
        (["*:*/y.img"], {"./file:d/y.img": BOOTS, "./http:/y.img": BOOTS}),
    ],
)
def test_names_mean_the_files_that_are_there(
    words: list[str], expected: dict[str, str], folder: Path, run: Run
) -> None:
    assert run(["boot", "--no-project", *words]) in (0, 3), run.err
    assert told(run) == expected


@pytest.mark.parametrize("name", ["file://{}/a%20b.img", "file://localhost{}/a%20b.img", "FILE://{}/a b.img"])
def test_a_file_by_its_address(name: str, folder: Path, run: Run) -> None:
    assert run(["boot", "--no-project", name.format(folder)]) == 0, run.err
    assert told(run) == {f"{folder}/a b.img": BOOTS}


def test_a_file_whose_name_has_a_percent_sign(folder: Path, good: Path, run: Run) -> None:
    shutil.copyfile(good, folder / "c%20d.img")
    assert run(["boot", "--no-project", f"file://{folder}/c%20d.img"]) == 0
    assert told(run) == {f"{folder}/c%20d.img": BOOTS}


def test_case_does_not_count_in_a_scheme(folder: Path, run: Run) -> None:
    with serving(folder) as server:
        address = server.url("z.img")
        shouted = address.replace("http", "HTTP")
        assert run(["boot", "--no-project", shouted]) == 0, run.err
        assert told(run) == {address: BOOTS}
        assert run(["scan", shouted, "--store", "scan.db", "--jobs", "1", "--quiet"]) == 0, run.err
        path = folder / shouted
        path.parent.mkdir(parents=True)
        unpack_sparse(IMAGES / "demo.img.zst", path)
        assert run(["boot", "--no-project", shouted]) == 3, "a file of that very name is the file"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("-", "images are not read from standard input"),
        ("snap-0123456789abcdef0", "written ebs:snap-0123456789abcdef0"),
        ("ami-0123456789abcdef0", "written ami:ami-0123456789abcdef0"),
        ("vol-0123456789abcdef0", "make a snapshot of it"),
        ("ftp://user:secret@host/x?secret", "pvgrub-sim: ftp://host/x?…: no such file, and ftp:// is not read here"),
        ("ssh://host/x", "ssh:// is not read here"),
        ("file://elsewhere/x.img", "a file of this machine is written file:///"),
        ("http:", "http:: not a URL of the form"),
        ("http://host:99999/x", "http://host:99999/x: not a URL of the form"),
        ("http://user:secret@host:99999/x", "http:… (no URL): not a URL of the form"),
        ("GCS://", "not of the form gs://BUCKET/KEY"),
        ("absent.img", "absent.img: no such file or directory"),
    ],
)
def test_a_name_that_means_nothing_is_told_how_it_is_written(
    name: str, words: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["boot", "--no-project", name]) == 2
    run.refused()
    assert words in run.err.decode() and b"secret" not in run.err
    if name != "-":
        assert run(["scan", name, "--store", "scan.db", "--jobs", "1", "--quiet"]) == 2
        assert run(["fleet", "scan.db"]) == 0
        assert b"secret" not in run.out + (tmp_path / "scan.db").read_bytes()
