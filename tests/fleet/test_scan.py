"""scan(): it says of each image what was recorded of PV-GRUB, and does nothing twice."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from pvgrub_sim import (
    ScanProgress,
    ScanResult,
    ScanSettings,
    ScanState,
    UsageError,
    local_engine,
    render_report,
    scan,
)
from tests.conformance.compare import differences
from tests.fleet.fleets import comparable, recorded, stored
from tests.once import made_once

VERSIONS = tuple(sorted({aki for _, aki in recorded()}))


@pytest.fixture(scope="module")
def scanned(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a scan of the whole fleet with all AKIs that were recorded."""

    def make(folder: Path) -> None:
        summary = scan([fleet], store=folder / "scan.db", versions=VERSIONS, engine=local_engine(2))
        assert summary.finished
        assert summary.looked == summary.images * len(VERSIONS)

    return made_once(tmp_path_factory, "scanned", make) / "scan.db"


def test_verdicts_are_those_that_were_recorded(scanned: Path) -> None:
    results = {(Path(result.source).name, result.version): result for result in stored(scanned)}
    cases = recorded()
    assert len(cases) == 42
    for key, case in cases.items():
        verdict = results[key].verdict
        assert verdict is not None
        assert differences(case, verdict) == [], key
        assert results[key].outcome == case["outcome"]
        assert results[key].entry == case["entry"]


def test_the_verdict_is_the_one_that_boot_reports(scanned: Path) -> None:
    from pvgrub_sim import boot

    for result in stored(scanned)[::17]:
        if result.state is ScanState.VERDICT:
            report = render_report([boot(result.source, aki=result.version)], "json")
            assert json.loads(result.verdict_json) == json.loads(report)
            assert result.verdict is not None
            assert json.loads(render_report([result.verdict], "json")) == json.loads(report)


def test_files_of_folders_that_are_no_images_are_told_apart_by_content(scanned: Path) -> None:
    states = {result.name: result.state for result in stored(scanned)}
    assert states["README.txt"] is ScanState.NO_IMAGE
    assert states["empty"] is ScanState.NO_IMAGE
    others = {name: state for name, state in states.items() if name not in ("README.txt", "empty")}
    assert Counter(others.values()) == {ScanState.VERDICT: len(others) - 1, ScanState.UNREADABLE: 1}
    errors = {result.error for result in stored(scanned) if result.state is ScanState.UNREADABLE}
    assert len(errors) == 1 and "LUKS" in errors.pop(), "the whole of it is encrypted"


def test_what_is_known_to_be_no_image_is_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "index.html").write_text("<!DOCTYPE html>" + "words\n" * 500)
    (tmp_path / "images" / "program").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(5000))
    scan([tmp_path / "images"], store=tmp_path / "scan.db", engine=local_engine(1))
    assert {one.name: one.state for one in stored(tmp_path / "scan.db")} == {
        "index.html": ScanState.NO_IMAGE,
        "program": ScanState.NO_IMAGE,
    }


def test_names_are_those_below_the_folder(scanned: Path, fleet: Path) -> None:
    for result in stored(scanned):
        assert result.source == str(fleet / result.name)
        assert result.origin == str(fleet)


def test_unchanged_images_are_not_looked_at_again(small: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    seen: list[ScanResult] = []
    first = scan([small], store=store, engine=local_engine(1), on_result=seen.append)
    assert (first.looked, first.unchanged) == (6, 0)
    assert sorted(result.name for result in seen) == sorted(path.name for path in small.iterdir())
    before = stored(store)
    second = scan([small], store=store, engine=local_engine(1), on_result=seen.append)
    assert (second.looked, second.unchanged) == (0, 6)
    assert second.statuses == first.statuses
    assert len(seen) == 6 and stored(store) == before
    third = scan([small], store=store, versions=["auto", "xen-4.17"], engine=local_engine(1))
    assert (third.looked, third.unchanged) == (6, 6)
    fourth = scan([small], store=store, engine=local_engine(1), fresh=True)
    assert (fourth.looked, fourth.unchanged) == (6, 0)
    assert comparable(stored(store)) == comparable(before)


def test_other_settings_and_changed_images_are_looked_at_again(small: Path, tmp_path: Path) -> None:
    store, folder = tmp_path / "scan.db", tmp_path / "images"
    folder.mkdir()
    for path in small.iterdir():
        os.link(path, folder / path.name)
    scan([folder], store=store, engine=local_engine(1))
    again = scan([folder], store=store, engine=local_engine(1), settings=ScanSettings(findings=False))
    assert again.looked == 6
    (folder / "boots.img").unlink()
    (folder / "boots.img").write_bytes((small / "ext4-today.img").read_bytes())
    (folder / "demo.img").unlink()
    changed = scan([folder], store=store, engine=local_engine(1), settings=ScanSettings(findings=False))
    assert (changed.looked, changed.unchanged) == (1, 4)
    outcomes = {result.name: result.outcome for result in stored(store)}
    assert outcomes["boots.img"] == outcomes["ext4-today.img"] != "boots"
    assert "demo.img" not in outcomes, "what is gone is no longer reported"


def test_a_scan_of_another_folder_leaves_the_rest(small: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    scan([small / "boots.img"], store=store, engine=local_engine(1))
    scan([small / "demo.img"], store=store, engine=local_engine(1))
    assert [Path(result.name).name for result in stored(store)] == ["boots.img", "demo.img"]


def test_what_cannot_be_read_is_tried_again_by_the_next_scan(tmp_path: Path, small: Path) -> None:
    store = tmp_path / "scan.db"
    missing = tmp_path / "missing.img"
    words = [missing, small / "boots.img", f"{small}/nothing.img"]
    first = scan(words, store=store, engine=local_engine(1))
    assert first.statuses == {"boots": 1, "unreadable": 2}
    (problem,) = [result for result in stored(store) if result.source == str(missing)]
    assert problem.error == f"{missing}: no such file or directory"
    assert problem.verdict is None
    os.link(small / "boots.img", missing)
    second = scan(words, store=store, engine=local_engine(1))
    assert (second.looked, second.unchanged) == (2, 1)
    assert second.statuses == {"boots": 2, "unreadable": 1}


def test_names_that_are_no_text(small: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b[2J\n.img"
    os.link(small / "boots.img", name)
    for _ in range(2):
        summary = scan([tmp_path], store=tmp_path / "scan.db", engine=local_engine(1))
        assert summary.statuses == {"boots": 1}
    assert summary.unchanged == 1
    (result,) = stored(tmp_path / "scan.db")
    assert result.name == "\\udcff\x1b[2J\n.img"
    assert result.verdict is not None and os.fsencode(result.verdict.image) == name


def test_without_a_store_and_stopped_at_once(small: Path) -> None:
    assert scan([small], engine=local_engine(1)).statuses["boots"] >= 1
    stopped = scan([small], engine=local_engine(1), stop=lambda: True)
    assert (stopped.looked, stopped.finished) == (0, False)


def test_progress_ends_with_everything_done(small: Path) -> None:
    seen: list[ScanProgress] = []
    summary = scan([small], engine=local_engine(2), on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (6, 6)
    assert seen[-1].failing == 6 - summary.statuses["boots"]
    assert len(seen[-1].workers) == 2


@pytest.mark.parametrize(
    "options", [{"versions": ["amazon-9"]}, {"versions": ["aki-nothing"]}, {"settings": ScanSettings(timeout=0)}]
)
def test_what_would_fail_on_every_image_is_said_at_once(small: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        scan([small], **options)  # type: ignore[arg-type]  # options by name


@pytest.mark.parametrize("jobs", [0, -1, 10**9])
def test_numbers_of_workers_that_make_no_sense(jobs: int) -> None:
    with pytest.raises(UsageError):
        local_engine(jobs)


# --- the store


def test_a_store_can_be_read_while_it_is_written(small: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    counts: list[int] = []

    def look(result: ScanResult) -> None:
        counts.append(len(stored(store)))
        with pytest.raises(UsageError, match="another scan is writing to it"):
            scan([small], store=store)

    scan([small], store=store, engine=local_engine(1), on_result=look)
    assert counts[-1] == 6 and counts[0] >= 1


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + bytes(84)])
def test_what_is_no_store_is_refused_and_left_alone(small: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.db"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"scan\.db"):
        scan([small], store=path)
    with pytest.raises(UsageError, match=r"scan\.db"):
        stored(path)
    assert path.read_bytes() == content


def test_another_database_is_refused_and_left_alone(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (a)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is no store"):
        scan([small], store=path)
    assert path.read_bytes() == before


def test_a_store_that_cannot_be_written(small: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "scan.db", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            scan([small], store=path)


def test_sqlite_itself_finds_the_store_sound(scanned: Path) -> None:
    with sqlite3.connect(scanned) as base:
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    base.close()
