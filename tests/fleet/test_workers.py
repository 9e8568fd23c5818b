"""Workers die, and the scan goes on."""

from __future__ import annotations

import ast
import gzip
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pvgrub_sim import EngineError, ScanSettings, ScanState, local_engine, scan
from pvgrub_sim.fleet import supervisor
from pvgrub_sim.fleet.engines.local import LocalEngine
from pvgrub_sim.fleet.supervisor import Supervisor
from pvgrub_sim.fleet.values import Job
from tests.fleet.fleets import comparable, stored, with_faults
from tests.rounds import rounds

MOST_KILLS = rounds(10_000, otherwise=3)
POISON = ("crash.img", "hang.img", "huge.img")


@pytest.fixture
def poisoned(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Good images, and three that kill whoever reads them."""
    for name, value in with_faults(tmp_path / "faults").items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "images"
    folder.mkdir()
    for path in small.iterdir():
        os.link(path, folder / path.name)
    for name in POISON:
        os.link(small / "boots.img", folder / name)
    return folder


@pytest.mark.parametrize("jobs", [1, 2])
def test_images_that_kill_their_worker_are_recorded_and_all_others_done(
    poisoned: Path, tmp_path: Path, jobs: int
) -> None:
    store = tmp_path / "scan.db"
    summary = scan([poisoned], store=store, engine=local_engine(jobs), settings=ScanSettings(timeout=2, memory=1024))
    assert summary.finished
    results = {result.name: result for result in stored(store)}
    killed = {name: result.error for name, result in results.items() if result.state is ScanState.KILLED}
    assert killed == {
        "crash.img": "its worker died of SIGSEGV",
        "hang.img": "took longer than 2 s",
        "huge.img": "needs more than 1024 MiB of memory",
    }
    assert len(results) == 9
    assert {result.state for name, result in results.items() if name not in POISON} == {ScanState.VERDICT}
    again = scan([poisoned], store=store, engine=local_engine(jobs))
    assert again.looked == 0, "what killed its workers is not tried again while it does not change"


def test_each_poison_has_two_tries_and_no_more(poisoned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("FAULTS_LOG", str(log))
    scan([poisoned / "crash.img", poisoned / "boots.img"], engine=local_engine(1))
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [name for _, name in lines].count("crash.img") == 2
    assert len({pid for pid, _ in lines}) == 3, "each in a worker of its own, and one for the rest"


def test_an_image_whose_worker_is_killed_once_is_looked_at_again(small: Path) -> None:
    watched = Supervisor(ScanSettings())
    jobs = [Job(str(small / "boots.img"), "auto")] * 3
    looks = watched.look(jobs)
    first = next(looks)
    assert watched.pid is not None
    os.kill(watched.pid, signal.SIGKILL)
    assert [seen._replace(seconds=0.0) for seen in looks] == [first._replace(seconds=0.0)] * 2
    watched.end()


def test_workers_killed_at_random(fleet: Path, undisturbed: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    engine = LocalEngine(2)
    done = threading.Event()
    kills = 0

    def killer() -> None:
        nonlocal kills
        choice = random.Random(5)
        while not done.wait(0.4) and kills < MOST_KILLS:
            pids = engine.pids()
            if pids:
                os.kill(choice.choice(pids), signal.SIGKILL)
                kills += 1

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        while True:
            # What was unlucky twice is recorded as a killer of workers; that is what the next look is for.
            summary = scan([fleet], store=store, engine=engine, fresh=True)
            if kills >= 3:
                break
    finally:
        done.set()
        thread.join()
    assert summary.finished
    told, expected = comparable(stored(store)), comparable(stored(undisturbed))
    assert [row[:2] for row in told] == [row[:2] for row in expected], "nothing is lost and nothing is there twice"
    different = [one for one, other in zip(told, expected, strict=True) if one != other]
    assert all(ScanState.KILLED in row for row in different)
    assert len(different) <= kills // 2


def test_workers_that_do_not_start_end_the_scan(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_COMMAND", ("/bin/false",))
    with pytest.raises(EngineError, match="cannot be started"):
        scan([small], store=tmp_path / "scan.db", engine=local_engine(2))
    assert stored(tmp_path / "scan.db") == []


def test_a_worker_that_talks_nonsense_is_not_believed(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "head -c 8 /dev/zero; read -r line; head -c 100 /dev/urandom | tr '\\0' x; sleep 60"
    monkeypatch.setattr(supervisor, "_COMMAND", ("/bin/sh", "-c", script))
    store = tmp_path / "scan.db"
    scan([small / "boots.img"], store=store, engine=local_engine(1), settings=ScanSettings(timeout=5))
    (result,) = stored(store)
    assert result.state is ScanState.KILLED
    assert result.error == "its worker's answer makes no sense"


def test_workers_end_with_whoever_started_them(poisoned: Path, tmp_path: Path) -> None:
    """Also when that was killed, and even when they hang: by their own alarm."""
    log = tmp_path / "log"
    code = (
        "import sys; from pvgrub_sim import ScanSettings, local_engine, scan\n"
        "scan(sys.argv[1:], engine=local_engine(1), settings=ScanSettings(timeout=1.0))"
    )
    coordinator = subprocess.Popen(
        [sys.executable, "-c", code, str(poisoned / "hang.img")],
        env=os.environ | {"FAULTS_LOG": str(log)},
    )
    _wait_for(log.exists)
    _wait_for(lambda: log.read_text().endswith("hang.img\n"))
    worker = int(log.read_text().split()[0])
    coordinator.kill()
    coordinator.wait()
    _wait_for(lambda: not _alive(worker))


def _wait_for(condition: object, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


NOWHERE_TO_WRITE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from pvgrub_sim import local_engine, scan
print(dict(scan(sys.argv[1:], engine=local_engine(1)).statuses))
"""


def test_where_no_file_can_be_written_all_is_looked_at_but_what_has_to_be_unpacked(small: Path, tmp_path: Path) -> None:
    """As in a container whose filesystem is read-only."""
    packed = tmp_path / "boots.img.gz"
    packed.write_bytes(gzip.compress((small / "boots.img").read_bytes(), 1))
    words = [sys.executable, "-c", NOWHERE_TO_WRITE, str(small / "boots.img"), str(packed)]
    # Only what /var/tmp would take is not refused by the choice of a folder: this makes it look for one as elsewhere.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert ast.literal_eval(done.stdout) == {"boots": 1, "unreadable": 1}
