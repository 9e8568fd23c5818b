"""Reports on a store: read back by those who are to read them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pvgrub_sim import FLEET_FORMATS, ScanState, UsageError, compare_scans, fleet_report, local_engine, scan
from pvgrub_sim.cli import main
from pvgrub_sim.fleet.reports.rows import COLUMNS
from tests import schemas
from tests.fleet.fleets import stored
from tests.once import made_once
from tests.report.gold import compare
from tests.report.html_page import Page

VERSIONS = ("amazon-1.03", "amazon-1.05", "xen-4.17")


class FleetPage(Page):
    """The page of a fleet: it has one script, which may do nothing but sort and filter."""

    VOID = Page.VOID | {"input"}


def report(store: Path, format: str, older: Path | None = None) -> str:
    return b"".join(fleet_report(store, format, older=older)).decode("utf-8")


@pytest.fixture(scope="module")
def store(fleet: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of everything, with an image that cannot be read and a name that wants to be obeyed."""

    def make(folder: Path) -> None:
        os.link(small / "boots.img", folder / "=cmd|'<b>&\x1b[2J.img")
        words = [fleet, folder / "none.img", folder / "=cmd|'<b>&\x1b[2J.img"]
        scan(words, store=folder / "scan.db", versions=VERSIONS, engine=local_engine(2))

    return made_once(tmp_path_factory, "reported", make) / "scan.db"


@pytest.fixture(scope="module")
def counts(store: Path) -> Counter[tuple[str, str]]:
    """What SQLite itself counts: by version and outcome."""
    with sqlite3.connect(store) as base:
        rows = base.execute("SELECT version, outcome || state, count(*) FROM looks GROUP BY 1, 2").fetchall()
    base.close()
    return Counter({(version, word): count for version, word, count in rows})


@pytest.mark.parametrize("format", FLEET_FORMATS)
def test_every_format_is_written(store: Path, format: str) -> None:
    assert b"".join(fleet_report(store, format))


def test_the_table_of_versions(store: Path, counts: Counter[tuple[str, str]]) -> None:
    text = report(store, "text")
    for version in VERSIONS:
        boots, fallback, down, unreadable, killed = map(
            int, re.findall(rf"^  {version} +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", text, re.MULTILINE)[0]
        )
        assert boots + fallback == counts[version, "bootsverdict"]
        assert unreadable == counts[version, "unreadable"] == 2
        assert killed == 0
        others = sum(counts[key] for key in counts if key[0] == version and key[1].endswith("verdict"))
        assert down == others - boots - fallback
    booting = {
        version: {row.source for row in stored(store) if row.version == version and row.boots_default}
        for version in VERSIONS
    }
    gained = len(booting["amazon-1.05"] - booting["amazon-1.03"])
    lost = len(booting["amazon-1.03"] - booting["amazon-1.05"])
    assert gained and re.search(rf"^  amazon-1\.05 .* \+{gained} -{lost}$", text, re.MULTILINE)


def test_text_is_safe_on_a_terminal(store: Path) -> None:
    assert "\x1b" not in report(store, "text")


def test_gold(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "scan.db"
    scan([small], store=store, versions=VERSIONS[:2], engine=local_engine(1))
    with sqlite3.connect(store) as base:
        base.execute("UPDATE scans SET finished = 1760000000")
    base.close()
    monkeypatch.setenv("TZ", "UTC")
    compare("fleet", "text.txt", report(store, "text"))


def test_jsonl_has_every_look_with_its_verdict(store: Path) -> None:
    lines = [json.loads(line) for line in report(store, "jsonl").splitlines()]
    rows = stored(store)
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert (line["source"], line["version"], line["status"]) == (row.source, row.version, row.status)
        assert (line["verdict"] is None) is (row.state is not ScanState.VERDICT)
        if line["verdict"]:
            assert line["verdict"]["outcome"] == row.outcome


def test_csv_is_read_back_and_obeyed_by_no_spreadsheet(store: Path) -> None:
    text = report(store, "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert Counter((row["version"], row["outcome"]) for row in rows) == Counter(
        (row.version, row.outcome) for row in stored(store)
    )
    cells = [cell for row in rows for cell in row.values() if not re.fullmatch(r"-?[\d.e-]*", cell)]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_parquet_is_read_by_pyarrow(store: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    path = tmp_path / "scan.parquet"
    path.write_bytes(b"".join(fleet_report(store, "parquet")))
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == [*COLUMNS, "verdict"]
    rows = stored(store)
    assert table.column("source").to_pylist() == [row.source for row in rows]
    assert table.column("entry").to_pylist() == [row.entry for row in rows]
    assert table.column("boots_default").to_pylist() == [row.boots_default for row in rows]


def test_junit_has_a_case_a_look(store: Path) -> None:
    root = ET.fromstring(report(store, "junit"))
    rows = [row for row in stored(store) if row.state is not ScanState.NO_IMAGE]
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(rows) == int(root.get("tests", ""))
    assert len(root.findall("testsuite/testcase/failure")) == sum(row.status in ("down", "fallback") for row in rows)
    errors = root.findall("testsuite/testcase/error")
    assert len(errors) == int(root.get("errors", "")) == 2 * len(VERSIONS)
    assert {error.get("type") for error in errors} == {"unreadable"}


def test_sarif_is_valid_and_tells_what_was_not_read(store: Path) -> None:
    log = json.loads(report(store, "sarif"))
    assert schemas.problems(schemas.SARIF, log) == []
    told = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert len(told) == 2 * len(VERSIONS)


def test_html_is_whole_and_nothing_in_it_becomes_markup(store: Path) -> None:
    text = report(store, "html")
    page = FleetPage(text)
    rows = [row for row in stored(store) if row.state is not ScanState.NO_IMAGE]
    table = text[text.index('<table id="images">') :]
    assert table.count("<tr class=") == len(rows)
    assert page.tags.count("script") == 1
    assert "<b>" not in text and "\x1b" not in text
    assert "default-src 'none'" in text and "script-src 'sha256-" in text
    assert not re.search(r"https?://", re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL))


def test_a_store_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        report(tmp_path / "none.db", "text")
    with pytest.raises(UsageError, match="no report format"):
        report(tmp_path / "none.db", "pdf")


def test_parquet_without_pyarrow_is_one_clear_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'pvgrub-sim\[parquet\]'"):
        report(store, "parquet")


# --- the difference


@pytest.fixture(scope="module")
def nights(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two nights: an image breaks, one is mended, one comes, one goes, one has other findings."""
    plan = {
        "monday": {"a.img": "boots", "b.img": "ext4-today", "c.img": "demo", "d.img": "boots", "f.img": "ext4-today"},
        "tuesday": {"a.img": "ext4-zstd", "b.img": "boots", "c.img": "demo", "e.img": "boots", "f.img": "ext4-zstd"},
    }

    def make(home: Path) -> None:
        for night, images in plan.items():
            (home / night).mkdir()
            for name, image in images.items():
                os.link(small / f"{image}.img", home / night / name)
            scan([home / night], store=home / f"{night}.db", versions=["amazon-1.05"], engine=local_engine(1))

    home = made_once(tmp_path_factory, "nights", make)
    return home / "monday.db", home / "tuesday.db"


def test_what_changed_between_two_nights(nights: tuple[Path, Path]) -> None:
    monday, tuesday = nights
    changes = compare_scans(monday, tuesday)
    assert [(row.name, row.before, row.after) for row in changes.broken] == [("a.img", "boots", "down")]
    assert "payload-unsupported" in changes.broken[0].new_findings
    assert [(row.name, row.before, row.after) for row in changes.mended] == [("b.img", "down", "boots")]
    assert [row.name for row in changes.found] == ["f.img"]
    assert (changes.added, changes.removed) == (("e.img (amazon-1.05)",), ("d.img (amazon-1.05)",))
    assert changes.same == 1 and changes.regression
    assert not compare_scans(monday, monday).regression


@pytest.mark.parametrize("format", [name for name in FLEET_FORMATS if name != "parquet"])
def test_the_difference_in_every_format_and_the_exit_status(
    nights: tuple[Path, Path], format: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monday, tuesday = map(str, nights)
    assert main(["fleet", tuesday, "--diff", monday, "--format", format]) == 1
    out = capfdbinary.readouterr().out.decode()
    assert "a.img" in out
    assert main(["fleet", monday, "--diff", monday, "--format", format]) == 0
    if format == "jsonl":
        assert {json.loads(line)["change"] for line in out.splitlines()} == {
            "worse",
            "better",
            "findings",
            "added",
            "removed",
        }
    if format == "junit":
        (failure,) = ET.fromstring(out).findall("testsuite/testcase/failure")
        assert failure.get("message") == "boots before, does not come up now"
    if format == "text":
        assert out.startswith("REGRESSION: 1 fares worse")
    if format == "sarif":
        assert json.loads(out)["runs"][0]["properties"]["regressions"][0]["before"] == "boots"
        assert schemas.problems(schemas.SARIF, json.loads(out)) == []


def test_there_is_no_parquet_of_a_difference(nights: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    monday, tuesday = map(str, nights)
    assert main(["fleet", tuesday, "--diff", monday, "--format", "parquet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
