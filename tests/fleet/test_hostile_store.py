"""A store of somebody else's, and names of images that want to be obeyed: reports, or one line that names the file."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pvgrub_sim import FLEET_FORMATS, local_engine, scan
from pvgrub_sim.fleet.reports.rows import COLUMNS
from tests.fleet.test_reports import FleetPage
from tests.hostile.watch import dangers

TEXT_FORMATS = tuple(format for format in FLEET_FORMATS if format != "parquet")
EVIL = "x\"'><script>alert(1)</script>\n::error::a\n##[error]b\x1b[2J\x9b\u202e&amp;]]>"
NAMES = ("=cmd|calc.img", "\n::error::n.img", "##[error]n.img", "-o.img", "+1\x1b[2J\x9b.img", "\t=1.img")


@pytest.fixture(scope="module")
def kept(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of images with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "images").mkdir()
    for name in NAMES:
        os.link(small / "demo.img", folder / "images" / name)
    store = folder / "scan.db"
    scan([folder / "images"], store=store, versions=["amazon-1.05"], engine=local_engine(1))
    return store


@pytest.fixture
def store(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(kept, tmp_path / "scan.db"))


def fleet(store: Path, format: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pvgrub_sim", "fleet", str(store), "--format", format, *words]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def run_sql(store: Path, *statements: str) -> None:
    base = sqlite3.connect(store)
    for statement in statements:
        base.execute(statement, {"evil": EVIL} if ":evil" in statement else {})
    base.commit()
    base.close()


def check(format: str, out: bytes) -> None:
    """That a report steers nobody and is what it says."""
    assert dangers(out.replace(b"\r\n", b"\n") if format == "csv" else out) == []
    if format == "html":
        assert FleetPage(out.decode("utf-8")).tags.count("script") == 1
    elif format == "junit":
        ET.fromstring(out)
    elif format in ("sarif", "jsonl"):
        for line in [out] if format == "sarif" else out.splitlines():
            json.loads(line)


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_names_of_images(format: str, store: Path) -> None:
    done = fleet(store, format)
    assert (done.returncode, done.stderr) == (0, b"")
    check(format, done.stdout)


def test_cells_are_no_formulas_and_jsonl_is_exact(store: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(fleet(store, "csv").stdout.decode("utf-8"), newline="")))
    assert len(rows) == len(NAMES) and tuple(rows[0]) == COLUMNS
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    names = {json.loads(line)["name"] for line in fleet(store, "jsonl").stdout.splitlines()}
    assert names == set(NAMES)


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_every_text_of_a_store_is_data(format: str, store: Path) -> None:
    texts = ("name", "origin", "region", "error", "outcome", "profile", "arch", "aki", "kernel", "payload", "headline",
             "version", "tool")  # fmt: skip
    run_sql(store, f"UPDATE looks SET {', '.join(f'{name} = :evil' for name in texts)}, source = :evil || id")
    rules = json.dumps({EVIL: EVIL, "x": '"><b>'})
    base = sqlite3.connect(store)
    base.execute("UPDATE looks SET rules = ?", (rules,))
    base.execute("UPDATE scans SET tool = ?, request = ?", (EVIL, EVIL))
    base.commit()
    base.close()
    done = fleet(store, format)
    assert (done.returncode, done.stderr) == (0, b"")
    check(format, done.stdout)
    again = fleet(store, format, "--diff", str(store))
    assert again.returncode == 0
    check(format, again.stdout)


Damage = Callable[[Path], None]


def sql(*statements: str) -> Damage:
    return lambda store: run_sql(store, *statements)


def without_pages(store: Path) -> None:
    """Nothing but the first page is what it was."""
    data = store.read_bytes()
    store.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize("format", ["text", "jsonl"])
@pytest.mark.parametrize(
    "damage",
    [
        sql("UPDATE looks SET rules = '[1]'"),
        sql("UPDATE looks SET rules = 'x'"),
        sql(f"UPDATE looks SET rules = '{'[' * 100_000}'"),
        sql("UPDATE looks SET rules = '{\"a\": 1}'"),
        sql("UPDATE looks SET state = 'odd'"),
        sql("UPDATE looks SET seconds = 9e999"),
        sql("UPDATE looks SET seconds = 'x'"),
        sql("UPDATE looks SET name = x'ff'"),
        sql("UPDATE looks SET headline = CAST(x'ff9b' AS TEXT)"),
        sql("UPDATE looks SET entry = 1.5"),
        sql("DROP TABLE looks"),
        sql("CREATE TRIGGER t AFTER INSERT ON looks BEGIN DELETE FROM scans; END"),
        sql("ALTER TABLE looks RENAME TO seen", "CREATE VIEW looks AS WITH RECURSIVE c(x) AS "
            "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS source FROM c"),
        without_pages,
    ],
    ids=["list", "no JSON", "deep", "no severity", "state", "infinite", "text", "bytes", "no UTF-8", "entry",
         "no table", "trigger", "view", "pages"],
)  # fmt: skip
def test_what_is_damaged_is_one_line(damage: Damage, format: str, store: Path) -> None:
    damage(store)
    done = fleet(store, format)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
    assert done.stderr.startswith(f"pvgrub-sim: {store}: ".encode())
    assert dangers(done.stderr) == []


def test_a_time_that_is_none(store: Path) -> None:
    run_sql(store, "UPDATE scans SET finished = 1e300")
    assert fleet(store, "text").returncode == 2


@pytest.mark.parametrize("verdict", ["x", "[]", "{}", "[" * 100_000, '{"image": 1}', "null", "swapped", "huge"])
@pytest.mark.parametrize("format", ["junit", "sarif"])
def test_a_verdict_that_is_none(verdict: str, format: str, store: Path) -> None:
    base = sqlite3.connect(store)
    (kept,) = base.execute("SELECT verdict FROM looks LIMIT 1").fetchone()
    told = json.loads(kept)
    if verdict == "swapped":
        verdict = json.dumps(told | {"console": 5, "findings": [{**told["findings"][0], "message": {}}]})
    elif verdict == "huge":
        verdict = json.dumps(told | {"layout": [{**told["layout"][0], "length": 10**400}]})
    base.execute("UPDATE looks SET verdict = ?", (verdict,))
    base.commit()
    base.close()
    done = fleet(store, format)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
    assert b"damaged" in done.stderr and dangers(done.stderr) == []


def test_no_store_is_opened_that_is_no_file(small: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for words in (["fleet", str(tmp_path / "pipe")], ["scan", str(small), "--store", str(tmp_path / "pipe")]):
        done = subprocess.run(
            [sys.executable, "-m", "pvgrub_sim", *words], capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
