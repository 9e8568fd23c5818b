"""`pvgrub-sim scan` and `fleet` as commands: progress, signals, exit statuses."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pvgrub_sim import ScanProgress
from pvgrub_sim.cli import main, progress
from tests.fleet.fleets import stored, with_faults
from tests.rounds import rounds

SCAN = [sys.executable, "-m", "pvgrub_sim", "scan"]


@pytest.fixture
def slow(small: Path, tmp_path: Path) -> Path:
    """Forty images, each of which takes some time: with_faults() sees to that."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for number in range(40):
        os.link(small / "boots.img", folder / f"slow-{number:02}.img")
    return folder


@pytest.mark.parametrize(
    ("images", "status"),
    [
        (["boots"], 0),
        (["boots", "demo"], 3),
        (["boots", "demo", "ext4-today"], 1),
        (["boots", "demo", "ext4-today", "none"], 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(
    small: Path, tmp_path: Path, images: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(small / f"{name}.img") for name in images]
    store = str(tmp_path / "scan.db")
    assert main(["scan", *words, "--store", store, "--jobs", "1"]) == status
    told = capsys.readouterr()
    assert told.out.startswith(f"{len(images)} images, {len(images)} looked at in ") and told.out.count("\n") == 1
    assert main(["scan", *words, "--store", store, "--jobs", "1"]) == status
    assert main(["fleet", store]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--jobs", "0"],
        ["--jobs", "1", "--dask", "tcp://x:1"],
        ["--pvgrub", "amazon-7"],
        ["--aki", "aki-00000000"],
        ["--timeout", "-1"],
        ["--memory", "1"],
        ["--device", "/dev/null"],
        ["--config", "menu", "--pvgrub", ""],
    ],
)
def test_what_makes_no_sense_is_one_line(
    small: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", str(small), "--store", str(tmp_path / "scan.db"), *words]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("pvgrub-sim: ") and told.err.count("\n") == 1


def test_options_of_boot_are_handed_on(small: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    words = ["--config", "(hd0)/boot/grub/none", "--no-findings", "--device", "/dev/xvda"]
    assert main(["scan", str(small / "boots.img"), "--store", str(store), "--jobs", "1", *words]) == 1
    (row,) = stored(store)
    assert (row.outcome, row.rules) == ("prompt", {})
    assert row.verdict is not None and row.verdict.config is None and row.verdict.layout == ()


def interrupted(slow: Path, store: Path, tmp_path: Path, times: int) -> tuple[int, str]:
    """Interrupt a scan after its first results, so many times; its exit status, and what it said."""
    process = subprocess.Popen(
        [*SCAN, str(slow), "--store", str(store), "--jobs", "2"],
        env=with_faults(tmp_path / "faults"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    limit = time.monotonic() + 60
    while not store.exists() or not _rows(store):
        assert time.monotonic() < limit
        time.sleep(0.05)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def _rows(store: Path) -> int:
    try:
        return len(stored(store))
    except Exception:  # sqlite3's, or of what reads it
        # It is not a store yet.
        return 0


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_stops_cleanly_and_the_next_run_goes_on(slow: Path, tmp_path: Path, times: int) -> None:
    store = tmp_path / "scan.db"
    status, out = interrupted(slow, store, tmp_path, times)
    assert status == 130
    assert "Traceback" not in out
    assert ("not finished" in out) if times == 1 else ("stopped at once" in out)
    kept = len(stored(store))
    assert 0 < kept < 40
    assert main(["scan", str(slow), "--store", str(store), "--quiet"]) == 0
    assert len(stored(store)) == 40


# --- progress


PROGRESS = ScanProgress(1200, 10000, 5, 310, 55.25, 159.4, ("/images/\x1b[2Ja.img", ""))


def test_progress_in_words() -> None:
    assert progress.words(PROGRESS) == "1,200 of 10,000 done, 310 failing, 55.2 a second, 2 min 39 s left"
    assert progress.words(PROGRESS._replace(seconds_left=7300)).endswith(", 2 h 1 min left")
    assert progress.words(PROGRESS._replace(seconds_left=None)).endswith("a second")


def test_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with progress.progress_of(quiet=False) as show:
        assert show is not None
        show(PROGRESS)
    assert capsys.readouterr().err == f"pvgrub-sim: {progress.words(PROGRESS)}\n"
    with progress.progress_of(quiet=True) as show:
        assert show is None


@pytest.mark.parametrize("rich", [True, False])
def test_on_a_terminal(slow: Path, tmp_path: Path, rich: bool) -> None:
    """With rich there is a bar that moves; what is on the screen names workers and the image that each is at."""
    count = rounds(40, otherwise=16)
    for image in sorted(slow.iterdir())[count:]:
        image.unlink()
    leader, follower = pty.openpty()
    code = "import sys; sys.modules['rich'] = None; from pvgrub_sim.cli import entry; sys.argv[0] = 'x'; entry()"
    command = SCAN if rich else [sys.executable, "-c", code, "scan"]
    process = subprocess.Popen(
        [*command, str(slow), "--store", str(tmp_path / "scan.db"), "--jobs", "2"],
        env=with_faults(tmp_path / "faults") | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    told = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        told += piece
    assert process.wait() == 0
    os.close(leader)
    text = told.decode()
    if rich:
        assert f" of {count} done" in text and "worker 1: " in text and "slow-" in text
    else:
        assert text == "" or text.startswith("pvgrub-sim: ")
