"""The coordinator is killed, and the next run goes on where it was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from pvgrub_sim import local_engine, scan
from pvgrub_sim.fleet.coordinator import LARGEST_CHUNK
from tests.fleet.fleets import comparable, stored, with_faults
from tests.rounds import rounds

JOBS = 2
KILLS = rounds(20, otherwise=5)


def opened(log: Path) -> Counter[str]:
    """How often each image was opened by workers; a look opens its image twice where it was found in a folder."""
    if not log.exists():
        return Counter()
    return Counter(line.split()[1] for line in log.read_text().splitlines() if " " in line)


def test_killed_at_random_moments(fleet: Path, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "scan.db"
    choice = random.Random(16)
    kills = again = 0
    command = [sys.executable, "-m", "pvgrub_sim", "scan", str(fleet), "--store", str(store), "--jobs", str(JOBS)]
    while kills < KILLS:
        log = tmp_path / f"log-{kills}"
        environment = with_faults(tmp_path / "faults", log)
        known = {Path(row.source).name for row in stored(store)} if store.exists() else set()
        coordinator = subprocess.Popen([*command, "--quiet"], env=environment, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + choice.uniform(0.2, 1.5)
        while time.monotonic() < limit and coordinator.poll() is None:
            time.sleep(0.01)
        finished = coordinator.poll() is not None
        coordinator.kill()
        coordinator.wait()
        kept = {Path(row.source).name for row in stored(store)} if store.exists() else set()
        looked = set(opened(log))
        assert known <= kept, "nothing that was kept is lost"
        assert not looked & known, "what is kept is not looked at again"
        in_hand = looked - kept
        assert len(in_hand) <= JOBS * LARGEST_CHUNK
        again += len(in_hand)
        kills += 1
        if finished:
            assert comparable(stored(store)) == comparable(stored(undisturbed))
            store.unlink()
            for end in ("-wal", "-shm"):
                store.with_name(store.name + end).unlink(missing_ok=True)
    scan([fleet], store=store, engine=local_engine(JOBS))
    assert comparable(stored(store)) == comparable(stored(undisturbed))
    assert again <= kills * JOBS * LARGEST_CHUNK


def test_a_scan_that_was_stopped_goes_on(fleet: Path, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "scan.db"
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 4

    first = scan([fleet], store=store, engine=local_engine(JOBS), stop=stop)
    assert not first.finished and 0 < first.looked < first.images
    assert len(stored(store)) == first.looked, "what was in hand is finished and kept"
    second = scan([fleet], store=store, engine=local_engine(JOBS))
    assert second.finished and second.looked == first.images - first.looked
    assert comparable(stored(store)) == comparable(stored(undisturbed))


def test_what_could_not_be_read_is_not_tried_again_by_the_rest_of_a_scan(small: Path, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    empty = tmp_path / "empty.img"
    empty.touch()
    words = [empty, small]
    first = scan(words, store=store, engine=local_engine(1), stop=lambda: len(stored(store)) > 0)
    assert 0 < first.looked < first.images
    second = scan(words, store=store, engine=local_engine(1))
    assert second.looked == first.images - first.looked
    (row,) = [row for row in stored(store) if row.source == str(empty)]
    assert row.error == f"{empty} at offset 0: is empty, not a disk image"
    third = scan(words, store=store, engine=local_engine(1))
    assert third.looked == 1, "another scan tries again"
