"""The same scan on a Dask cluster, with real worker processes, which are killed."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import EngineError, ScanResult, ScanSettings, ScanState, UsageError, dask_engine, local_engine, scan
from pvgrub_sim.fleet.engines import dask
from tests.fleet.fleets import comparable, stored, with_faults
from tests.rounds import rounds

# What Dask's own parts warn of when their processes are killed is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")
KILLS = rounds(20, otherwise=2)


@pytest.fixture(autouse=True, scope="module")
def distributed() -> Any:
    """Dask's module, which takes long to import; where it is not installed nothing here is run, but in CI."""
    return __import__("distributed") if os.environ.get("CI") else pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(distributed: Any) -> Iterator[Any]:
    """Two worker processes and a scheduler."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def expected(undisturbed: Path) -> list[tuple[Any, ...]]:
    """What a scan on this machine says."""
    return comparable(stored(undisturbed))


def test_the_same_results_to_the_byte(cluster: Any, fleet: Path, tmp_path: Path, expected: list[Any]) -> None:
    store = tmp_path / "scan.db"
    summary = scan([fleet], store=store, engine=dask_engine(cluster.scheduler_address))
    assert summary.finished and summary.looked == summary.images
    assert comparable(stored(store)) == expected


def start_worker(address: str) -> subprocess.Popen[bytes]:
    """A worker without a nanny, as a pod or a unit has it."""
    words = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    return subprocess.Popen(
        [*words, "--no-dashboard", "--death-timeout", "120"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_workers_killed_at_random_moments(distributed: Any, fleet: Path, tmp_path: Path, expected: list[Any]) -> None:
    """Nothing is lost, and nothing is there twice."""
    kills = 0
    done = threading.Event()
    choice = random.Random(20)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty:
        address = empty.scheduler_address
        workers = [start_worker(address) for _ in range(2)]

        def killer() -> None:
            nonlocal kills
            while not done.wait(choice.uniform(0.5, 1.5)):
                if empty.scheduler.workers:
                    # Whoever looks after such workers starts another one.
                    unlucky = choice.randrange(2)
                    workers[unlucky].kill()
                    workers[unlucky].wait()
                    workers[unlucky] = start_worker(address)
                    kills += 1

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            for number in range(100):
                store = tmp_path / f"scan-{number}.db"
                told: list[ScanResult] = []
                scan([fleet], store=store, engine=dask_engine(address), on_result=told.append)
                assert comparable(stored(store)) == expected
                assert len(told) == len(set(told_of(told))) == len(expected)
                if kills >= KILLS:
                    break
        finally:
            done.set()
            thread.join()
            for worker in workers:
                worker.kill()
                worker.wait()
    assert kills >= KILLS


def told_of(results: list[ScanResult]) -> list[tuple[str, str]]:
    """Of which images and versions there was a result."""
    return [(result.source, result.version) for result in results]


def test_poison_is_recorded_as_on_one_machine(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in with_faults(tmp_path / "faults").items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("crash.img", "hang.img", "huge.img", "good.img"):
        os.link(small / "boots.img", folder / name)
    settings = ScanSettings(timeout=2, memory=1024)
    scan([folder], store=tmp_path / "dask.db", engine=dask_engine(local=1), settings=settings)
    scan([folder], store=tmp_path / "local.db", engine=local_engine(1), settings=settings)
    told = stored(tmp_path / "dask.db")
    assert comparable(told) == comparable(stored(tmp_path / "local.db"))
    assert [result.state for result in told].count(ScanState.KILLED) == 3


@pytest.fixture
def scheduler(distributed: Any, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler and a worker as one starts them by hand: its process and its address."""
    told = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--scheduler-file", str(told)], **quiet)  # type: ignore[call-overload]  # options
    limit = time.monotonic() + 60
    while not told.exists() or not told.read_text():
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.1)
    address = json.loads(told.read_text())["address"]
    words = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    worker = subprocess.Popen([*words, "--death-timeout", "120"], **quiet)  # type: ignore[call-overload]  # options
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
    yield process, address
    for one in (process, worker):
        one.terminate()
        one.wait(60)


def test_a_scheduler_that_is_lost_ends_the_scan_and_the_next_one_goes_on(
    scheduler: tuple[subprocess.Popen[bytes], str],
    fleet: Path,
    tmp_path: Path,
    expected: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask, "LOST_SECONDS", 3.0)
    process, address = scheduler
    store = tmp_path / "scan.db"
    with pytest.raises(EngineError, match=re.escape(address)):
        scan([fleet], store=store, engine=dask_engine(address), on_result=lambda result: process.kill())
    kept = comparable(stored(store))
    assert 0 < len(kept) < len(expected)
    assert set(map(repr, kept)) <= set(map(repr, expected))
    summary = scan([fleet], store=store, engine=local_engine(2))
    assert summary.looked == len(expected) - len(kept)
    assert comparable(stored(store)) == expected


def test_no_scheduler_there(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 2.0)
    with pytest.raises(EngineError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        scan([small], engine=dask_engine("tcp://127.0.0.1:9"))
    with pytest.raises(EngineError, match="no Dask scheduler at nonsense:"):
        scan([small], engine=dask_engine("nonsense://x"))


def test_a_worker_with_another_version_is_refused(
    cluster: Any, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "__version__", "0.0.0")
    with pytest.raises(EngineError, match=r"has pvgrub-sim .*, and this is 0\.0\.0"):
        scan([small], store=tmp_path / "scan.db", engine=dask_engine(cluster.scheduler_address))


@pytest.mark.parametrize("options", [{}, {"address": "tcp://x:1", "local": 2}, {"local": 0}])
def test_what_dask_is_asked_for_must_make_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dask_engine(**options)


def test_without_distributed_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'pvgrub-sim\[fleet\]'"):
        dask_engine(local=1)
