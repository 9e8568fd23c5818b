"""scan(): targets are listed, an engine looks at them, the store keeps what it says, and callers are told."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from pvgrub_sim.errors import UsageError
from pvgrub_sim.fleet.engines.engine import Engine
from pvgrub_sim.fleet.engines.local import LocalEngine
from pvgrub_sim.fleet.listing import targets
from pvgrub_sim.fleet.look import AUTO, is_aki
from pvgrub_sim.fleet.store import Pending, Store, result_of
from pvgrub_sim.fleet.values import Look, ScanProgress, ScanResult, ScanSettings, ScanState, ScanSummary
from pvgrub_sim.media.sources import kept_source
from pvgrub_sim.values import NamedTuple

CHUNK_SECONDS = 0.5
"""What a chunk should take: long beside what it costs to hand it out, short for whoever wants to stop."""
LARGEST_CHUNK = 64
_POLL = 0.2
_RATE_SECONDS = 30.0


def scan(
    sources: Iterable[str | os.PathLike[str]],
    *,
    store: str | os.PathLike[str] | None = None,
    versions: Sequence[str] = (),
    engine: Engine | None = None,
    settings: ScanSettings | None = None,
    region: str | None = None,
    fresh: bool = False,
    on_result: Callable[[ScanResult], None] | None = None,
    on_progress: Callable[[ScanProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ScanSummary:
    """Look at many images, each as boot() does, and survive all of them.

    sources: images, folders (looked through, by content), patterns, `@list`, `-` for standard input,
    `s3://bucket/prefix/`, `ami:self`. store: the SQLite file that keeps what was seen; a scan that was killed goes on
    where it was, and unchanged images are not looked at again. versions: PV-GRUB versions and AKIs, each of which is
    simulated; `auto` is an AMI's own AKI, elsewhere Amazon's newest, which is also what is taken when there are none.
    engine: who looks (default: a worker process a CPU). settings: limits, and options of boot(). region: of Amazon's.
    fresh: forget what the store knows. on_result: called with each result, as it comes. on_progress: called now and
    then. stop: asked now and then; when it says True, the chunks in hand are finished and the scan ends. Raises
    UsageError, and EngineError when the engine is lost; the store is whole in any case.
    """
    begin = time.monotonic()
    settings = (settings if settings is not None else ScanSettings()).anywhere
    words = [os.fspath(source) for source in sources]
    asked = tuple(dict.fromkeys(versions)) or (AUTO,)
    _check(asked, settings)
    request = json.dumps(
        {"sources": [kept_source(word) for word in words], "versions": asked, "settings": settings.decisive}
    )
    kept = Store(store, write=True)
    try:
        if fresh:
            kept.clear()
        leave_out = None if store is None else os.fspath(store)
        images = kept.begin(targets(words, region=region, leave_out=leave_out), asked, settings, request)
        total = kept.count_pending()
        run = _Run(kept, engine if engine is not None else LocalEngine(), total, images * len(asked) - total)
        finished = run.run(settings, on_result, on_progress, stop)
        if finished:
            kept.finish()
        counts = kept.statuses()
    finally:
        kept.close()
    return ScanSummary(images, run.done, run.unchanged, counts, time.monotonic() - begin, finished)


def _check(versions: Sequence[str], settings: ScanSettings) -> None:
    """Raise UsageError for what would fail on every image."""
    from pvgrub_sim.media import vbd_number
    from pvgrub_sim.profiles import choose_profile
    from pvgrub_sim.profiles.instance_types import check_instance_type

    for version in versions:
        if version != AUTO:
            choose_profile(**{"aki" if is_aki(version) else "pvgrub": version})
    if settings.timeout <= 0 or settings.memory < 64:
        raise UsageError("a worker needs some time, and 64 MiB of memory at the least")
    if settings.image_format not in ("auto", "raw"):
        from pvgrub_sim.media.formats import FORMATS, readable

        if settings.image_format not in FORMATS:
            raise UsageError(f"unknown image format {settings.image_format!r}: auto, raw, {', '.join(readable())}")
    if settings.device is not None:
        vbd_number(settings.device)
    if settings.instance_type is not None:
        check_instance_type(settings.instance_type)


class _Chunk(NamedTuple):
    """What an engine has in hand: the looks, and the answers that have come, by place."""

    pending: list[Pending]
    results: dict[int, ScanResult]


class _Run:
    """One scan while it runs."""

    def __init__(self, store: Store, engine: Engine, total: int, unchanged: int) -> None:
        self.store = store
        self.engine = engine
        self.total = total
        self.unchanged = unchanged
        self.done = 0
        self.failing = 0
        self._in_hand: dict[int, _Chunk] = {}
        self._seconds = 0.0
        self._looked = 0.0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def run(
        self,
        settings: ScanSettings,
        on_result: Callable[[ScanResult], None] | None,
        on_progress: Callable[[ScanProgress], None] | None,
        stop: Callable[[], bool] | None,
    ) -> bool:
        """Look at everything; returns False when `stop` ended it before."""
        if not self.total:
            return True
        waiting = self.store.pending()
        number = 0
        stopped = False
        exhausted = False
        try:
            self.engine.start(settings)
            while True:
                stopped = stopped or (stop is not None and stop())
                while not (stopped or exhausted) and len(self._in_hand) < self.engine.slots:
                    chunk = list(self._next(waiting, on_result))
                    if not chunk:
                        exhausted = True
                        break
                    self._in_hand[number] = _Chunk(chunk, {})
                    self.engine.submit(number, [pending.job for pending in chunk])
                    number += 1
                if not self._in_hand:
                    return exhausted
                for answer in self.engine.collect(_POLL):
                    self._take(answer.chunk, answer.place, answer.look, on_result)
                if on_progress is not None:
                    on_progress(self.progress())
        finally:
            self._write_what_came()
            self.engine.close()

    def _next(self, waiting: Iterator[Pending], on_result: Callable[[ScanResult], None] | None) -> Iterator[Pending]:
        """The looks of the next chunk; what cannot be looked at at all is answered here."""
        size = self._chunk_size()
        for pending in waiting:
            if pending.target.problem:
                from pvgrub_sim import __version__

                seen = Look(ScanState.UNREADABLE, __version__, error=pending.target.problem)
                self._keep([result_of(pending, seen)], on_result)
                continue
            yield pending
            size -= 1
            if not size:
                return

    def _chunk_size(self) -> int:
        """As many looks as take CHUNK_SECONDS by what was seen of late; one each at first, fewer near the end."""
        if not self._looked:
            return 1
        wanted = int(CHUNK_SECONDS * self._looked / max(self._seconds, 1e-6))
        left = (self.total - self.done) // (2 * self.engine.slots)
        return max(1, min(wanted, left, LARGEST_CHUNK))

    def _take(self, number: int, place: int, seen: Look, on_result: Callable[[ScanResult], None] | None) -> None:
        chunk = self._in_hand[number]
        if place in chunk.results:
            return
        chunk.results[place] = result_of(chunk.pending[place], seen)
        # Older looks count less and less.
        self._seconds = self._seconds * 0.98 + seen.seconds
        self._looked = self._looked * 0.98 + 1
        if len(chunk.results) == len(chunk.pending):
            del self._in_hand[number]
            self._keep([chunk.results[at] for at in range(len(chunk.pending))], on_result)

    def _keep(self, results: Sequence[ScanResult], on_result: Callable[[ScanResult], None] | None) -> None:
        self.store.write(results)
        self.done += len(results)
        self.failing += sum(result.status not in ("boots", "no image") for result in results)
        if on_result is not None:
            for result in results:
                on_result(result)

    def _write_what_came(self) -> None:
        """Answers of chunks that were given up are worth keeping."""
        for chunk in self._in_hand.values():
            self.store.write(list(chunk.results.values()))
        self._in_hand.clear()

    def progress(self) -> ScanProgress:
        """How far it is now."""
        now = time.monotonic()
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RATE_SECONDS:
            self._marks.popleft()
        begin, before = self._marks[0]
        rate = (self.done - before) / (now - begin) if now > begin else 0.0
        left = (self.total - self.done) / rate if rate else None
        return ScanProgress(self.done, self.total, self.unchanged, self.failing, rate, left, self.engine.workers())
