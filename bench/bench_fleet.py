"""Scans of many images: one worker against two, the coordinator's share, the store, and a simulation of a million.

Images are sparse copies of the bundled fixtures and recorded cases, mixed as they are; `--trivial` adds empty disks.
Rates are ratios of runs within one call, in turns: on a busy machine even those say little, so the load is printed.

    python bench/bench_fleet.py [--images N] [--trivial N] [--turns N] [--simulate] [--look S]
"""

from __future__ import annotations

import argparse
import heapq
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pvgrub_sim import ScanSettings, local_engine, scan
from pvgrub_sim.fleet.store import Pending, Store, result_of
from pvgrub_sim.fleet.values import Job, Look, ScanState, Target
from tests.images import unpack_sparse

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
AREAS = ("images", "rules", "conformance/amazon", "conformance/menus")
MOST_BYTES = 64 << 20
"""Larger images (sparse, but read in places) are left out."""


def make_images(folder: Path, number: int) -> None:
    """So many images: the bundled ones unpacked once, then hard links to them in turn."""
    originals = []
    store = folder.with_name("originals")
    store.mkdir()
    for area in AREAS:
        for packed in sorted((FIXTURES / area).glob("*.img.zst")):
            image = unpack_sparse(packed, store / f"{area.replace('/', '-')}-{packed.name.removesuffix('.zst')}")
            if image.stat().st_size <= MOST_BYTES:
                originals.append(image)
    for index in range(number):
        below = folder / f"{index // 1000:03}"
        below.mkdir(parents=True, exist_ok=True)
        os.link(originals[index % len(originals)], below / f"{index:06}.img")


def make_trivial(folder: Path, number: int) -> None:
    """So many disks with nothing but a boot sector's signature."""
    original = folder.with_name("trivial.img")
    original.write_bytes(bytes(510) + b"\x55\xaa" + bytes(512))
    for index in range(number):
        below = folder / f"{index // 1000:03}"
        below.mkdir(parents=True, exist_ok=True)
        # A file has 65 000 links at most on some filesystems.
        if index % 30_000 == 0 and index:
            shutil.copy(original, original.with_name(f"trivial-{index}.img"))
            original = original.with_name(f"trivial-{index}.img")
        os.link(original, below / f"{index:06}.img")


class Measured(NamedTuple):
    """One scan. seconds: of the wall clock; own, workers: of CPU. peak: the coordinator's memory in MiB."""

    looks: int
    seconds: float
    own: float
    workers: float
    peak: int

    @property
    def rate(self) -> float:
        """Looks a second of the wall clock."""
        return self.looks / self.seconds

    @property
    def share(self) -> float:
        """The coordinator's part of all CPU time."""
        return self.own / (self.own + self.workers)


def measure(folder: Path, jobs: int, settings: ScanSettings) -> Measured:
    """Scan a folder in a process of its own, so that its memory and its children's CPU time are those of the scan."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        store = folder.with_name("scan.db")
        store.unlink(missing_ok=True)
        begin, own = time.perf_counter(), time.process_time()
        summary = scan([folder], store=store, engine=local_engine(jobs), settings=settings)
        seconds, own = time.perf_counter() - begin, time.process_time() - own
        below = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        told = f"{summary.looked} {seconds} {own} {below.ru_utime + below.ru_stime} {peak}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        looks, seconds, own, workers, peak = pipe.read().split()
    os.waitpid(child, 0)
    for end in ("", "-wal", "-shm"):
        folder.with_name(f"scan.db{end}").unlink(missing_ok=True)
    return Measured(int(looks), float(seconds), float(own), float(workers), int(peak))


WORK = "numbers = [0] * 4096\nfor turn in range(6_000_000): numbers[turn & 4095] += turn"
"""What one worker's processor does alone: a loop that shares nothing with another process."""


def machine() -> float:
    """How many times the work of one process two processes do at once here: 2 on a machine that nobody shares."""
    seconds = []
    for number in (1, 2):
        begin = time.perf_counter()
        running = [subprocess.Popen([sys.executable, "-c", WORK]) for _ in range(number)]
        for process in running:
            process.wait()
        seconds.append((time.perf_counter() - begin) / number)
    return seconds[0] / seconds[1]


def compare(name: str, folder: Path, turns: int, settings: ScanSettings) -> list[str]:
    """One worker and two, in turns, and what the machine has to give in between."""
    one, two, limit = [], [], []
    for _ in range(turns):
        one.append(measure(folder, 1, settings))
        limit.append(machine())
        two.append(measure(folder, 2, settings))
    ratio = statistics.median(b.rate / a.rate for a, b in zip(one, two, strict=True))
    cpu = statistics.median(member.workers / member.looks for member in one + two)
    return [
        f"{name}: {one[0].looks:,} images",
        f"  images a second of CPU time of a worker: {1 / cpu:.0f} ({cpu * 1000:.1f} ms each)",
        f"  images a second: {max(m.rate for m in one):.0f} with one worker, {max(m.rate for m in two):.0f} with two: "
        f"{ratio:.2f} times (median of pairs)",
        f"  the machine: two loops at once do {statistics.median(limit):.2f} times the work of one; two workers were "
        f"busy for {statistics.median(m.workers / m.seconds / 2 for m in two):.0%} of the time",
        f"  coordinator: {max(m.share for m in two):.1%} of all CPU time, {max(m.peak for m in two)} MiB at the most",
    ]


def store_rate(folder: Path, rows: int = 20_000, chunk: int = 32) -> float:
    """Rows a second that the store takes, in chunks, each with a verdict of 4 KiB."""
    store = Store(folder / "rate.db", write=True)
    store.begin([Target("/a", "a", "/a")], ["auto"], ScanSettings(), "{}")
    seen = Look(ScanState.VERDICT, "0", outcome="boots", rules=(("kernel-missing", "error"),), verdict="x" * 4096)
    results = [
        result_of(Pending(Job(f"/images/{n:07}.img", "auto"), Target(f"/images/{n:07}.img", f"{n:07}.img", "/a")), seen)
        for n in range(rows)
    ]
    begin = time.perf_counter()
    for at in range(0, rows, chunk):
        store.write(results[at : at + chunk])
    seconds = time.perf_counter() - begin
    store.close()
    return rows / seconds


def scheduler_rate(tasks: int = 1000) -> float:
    """Tasks a second that a Dask scheduler hands out to two workers and takes back, each with 128 KiB of results."""
    import distributed

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.gather(client.map(bytes, range(10), pure=False))
        begin = time.perf_counter()
        client.gather(client.map(bytes, [128 << 10] * tasks, pure=False))
        return tasks / (time.perf_counter() - begin)


class Limits(NamedTuple):
    """What a large scan runs into. look: seconds of a worker for an image. rows, tasks: that store and scheduler take a
    second. requests: GetSnapshotBlock a second that an account may make. blocks: read of an image."""

    look: float
    rows: float
    tasks: float
    requests: float
    blocks: int = 60


def simulate(images: int, workers: int, chunk: int, limits: Limits) -> tuple[float, dict[str, float]]:
    """Seconds that a scan takes, and how busy each part is: an event for each chunk, parts that serve one at a time.

    A chunk waits for a worker, is handed out by the scheduler, reads its blocks at the account's rate, is looked at,
    goes through the scheduler again and is written.
    """
    free = [0.0] * workers
    heapq.heapify(free)
    busy = dict.fromkeys(("scheduler", "EBS requests", "store", "workers"), 0.0)
    ready = dict.fromkeys(busy, 0.0)

    def serve(part: str, at: float, seconds: float) -> float:
        ready[part] = max(ready[part], at) + seconds
        busy[part] += seconds
        return ready[part]

    end = 0.0
    for _ in range(-(-images // chunk)):
        at = serve("scheduler", heapq.heappop(free), 1 / limits.tasks)
        if limits.requests:
            at = serve("EBS requests", at, chunk * limits.blocks / limits.requests)
        at += chunk * limits.look
        busy["workers"] += chunk * limits.look / workers
        heapq.heappush(free, at)
        end = max(end, serve("store", at, chunk / limits.rows))
    return end, {part: seconds / end for part, seconds in busy.items()}


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--trivial", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--look", type=float, default=0.01, metavar="S", help="for the simulation: seconds an image")
    parser.add_argument(
        "--tasks", type=float, default=200.0, metavar="N", help="the same: a scheduler's tasks a second"
    )
    parser.add_argument("--simulate", action="store_true", help="only the store's rate and the simulation")
    args = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        top = Path(name)
        if not args.simulate:
            make_images(top / "images", args.images)
            quick = ScanSettings(findings=False)
            print(*compare("with findings", top / "images", args.turns, ScanSettings()), sep="\n", flush=True)
            print(*compare("without findings", top / "images", args.turns, quick), sep="\n", flush=True)
            if args.trivial:
                make_trivial(top / "trivial", args.trivial)
                print(*compare("trivial", top / "trivial", 1, quick), sep="\n", flush=True)
        rows = store_rate(top)
    tasks = scheduler_rate()
    print(f"scheduler: {tasks:,.0f} tasks a second")
    print(f"store: {rows:,.0f} rows a second, in chunks of 32")
    for requests, where in ((0.0, "a shared filesystem"), (1000.0, "EBS at 1,000 requests a second")):
        limits = Limits(look=args.look, rows=rows, tasks=tasks, requests=requests)
        for chunk in (1, 16, 64):
            seconds, busy = simulate(1_000_000, 200, chunk, limits)
            parts = ", ".join(f"{part} {share:.0%}" for part, share in busy.items() if share)
            print(f"1,000,000 images, 200 workers, chunks of {chunk}, {where}: {seconds / 60:.0f} min; busy: {parts}")
    print(f"load after: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
