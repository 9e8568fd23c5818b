"""What the words of a scan name."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pvgrub_sim import UsageError
from pvgrub_sim.fleet.listing import LONGEST_WORD, targets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that folders have."""
    top = tmp_path / "top"
    for name in ("b.img", "a.img", "sub/deep/c.img", "sub/[x].img", "z"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1024)
    os.mkfifo(top / "fifo")
    (top / "loop").symlink_to(top, target_is_directory=True)
    (top / "link.img").symlink_to(top / "a.img")
    (top / "nowhere").symlink_to(top / "missing")
    (top / "scan.db").touch()
    (top / "scan.db-wal").touch()
    return top


def names(*words: str | Path, **options: str) -> list[str]:
    return [target.name for target in targets(map(str, words), **options)]


def test_folders_are_walked_in_order(folder: Path) -> None:
    found = ["a.img", "b.img", "link.img", "z", "sub/[x].img", "sub/deep/c.img"]
    assert names(folder, leave_out=str(folder / "scan.db")) == found
    assert names(f"{folder}/", leave_out=str(folder / "sub" / ".." / "scan.db")) == found
    assert "scan.db-wal" in names(folder, leave_out=str(folder / "other.db"))


def test_a_relative_folder_gives_absolute_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (target, *_) = targets(["top/sub"])
    assert (target.source, target.name, target.origin) == (str(folder / "sub" / "[x].img"), "[x].img", "top/sub")
    assert target.sniff
    status = Path(target.source).stat()
    assert target.fingerprint == f"1024:{status.st_mtime_ns}"


def test_patterns(folder: Path) -> None:
    assert names(f"{folder}/*.img") == [str(folder / name) for name in ("a.img", "b.img", "link.img")]
    assert names(f"{folder}/sub/[x].img") == [f"{folder}/sub/[x].img"], "a name that is there is no pattern"
    assert names(f"{folder}/s*") == [f"{folder}/scan.db", f"{folder}/scan.db-wal", "[x].img", "deep/c.img"]
    with pytest.raises(UsageError, match="no file matches"):
        names(f"{folder}/*.qcow2")


def test_a_file_that_was_named_is_taken_for_an_image(folder: Path) -> None:
    (target,) = targets([f"file:{folder}/a.img"])
    assert (target.source, target.sniff) == (f"{folder}/a.img", False)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no files in it"):
        names(tmp_path)


def test_what_is_not_there_is_a_problem_of_its_own(tmp_path: Path) -> None:
    (target,) = targets([str(tmp_path / "none.img")])
    assert target.problem == f"{tmp_path}/none.img: no such file or directory"
    (target,) = targets(["a\0b"])
    assert "null" in target.problem


def test_a_folder_that_cannot_be_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.img").write_bytes(b"x" * 512)
    for _ in range(20):
        os.mkdir("d" * 250)  # noqa: PTH102  (a path that is too long for pathlib)
        os.chdir("d" * 250)
    monkeypatch.chdir(tmp_path)
    first, *others = targets([str(tmp_path)])
    assert first.name == "a.img"
    assert [target.problem.rpartition(": ")[2] for target in others] == ["file name too long"]


def test_a_folder_whose_name_is_too_long_is_a_problem(tmp_path: Path) -> None:
    (target,) = targets([str(tmp_path / ("x" * 300))])
    assert "file name too long" in target.problem


def test_lists(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [f"{folder}/a.img", f"{folder}/b.img", "[x].img", "deep/c.img"]
    text = f"# a list\n\n{folder}/a.img\r\n{folder}/b.img\n{folder}/sub\n".encode()
    path = tmp_path / "list"
    path.write_bytes(text)
    assert names(f"@{path}") == wanted
    for content in (text, text.rstrip(b"\n"), f"{folder}/a.img\0{folder}/b.img\0{folder}/sub".encode()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert names("-") == wanted
    with pytest.raises(UsageError, match=r"@.*no such file"):
        names(f"@{tmp_path}/none")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="closed"):
        names("-")


def test_names_with_newlines_and_other_bytes_come_through_a_list_with_nuls(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsencode(folder) + b"/new\nline\xff.img"
    Path(os.fsdecode(name)).write_bytes(b"x" * 512)
    many = b"".join(name + b"\0" for _ in range(2000))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(many)))
    assert [os.fsencode(target.source) for target in targets(["-"])] == [name] * 2000


def test_a_list_that_is_an_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"x" * (3 * LONGEST_WORD))
    with pytest.raises(UsageError, match="a line is longer than"):
        names(f"@{path}")


def test_snapshots_and_urls_are_taken_as_they_are() -> None:
    words = ["ebs:snap-0123456789abcdef0", "https://example.org/a.img"]
    assert [target.source for target in targets(words, region="eu-west-1")] == words
    assert [target.fingerprint for target in targets(words)] == [words[0], ""]
