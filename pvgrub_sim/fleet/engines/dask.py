"""The engine for many machines: chunks are tasks of a Dask cluster, whose workers read the images themselves.

A task gives its chunk to a supervised worker process of its own (fleet/supervisor.py), so an image is bounded, and what
dies of it is found out, as on one machine: the same results, to the byte. Dask carries chunks, and runs those of a
worker that is lost again. https://distributed.dask.org/
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError

from pvgrub_sim import __version__
from pvgrub_sim.errors import EngineError, UsageError
from pvgrub_sim.fleet.engines.engine import Answer
from pvgrub_sim.fleet.supervisor import Supervisor
from pvgrub_sim.fleet.values import Job, Look, ScanSettings
from pvgrub_sim.typed import Any

NEEDED = "scanning with Dask needs the package distributed: pip install 'pvgrub-sim[fleet]'"
CONNECT_SECONDS = 15.0
LOST_SECONDS = 20.0
"""How long the scheduler may be away before it is taken for lost."""
NO_WORKERS_SECONDS = 600.0
"""How long a scheduler may have no workers at all: those that grow with their work take minutes for the first."""
CHUNKS_A_THREAD = 2
"""In hand for each thread of the cluster: one that it is at, and one that waits there, so that it never waits."""
TRIES = 5
"""Times that a chunk is given out whose workers died, beyond those that the scheduler tries itself."""
_LOOK_AROUND_SECONDS = 2.0
_PAUSE = 0.01


class DaskEngine:
    """The workers of a Dask cluster.

    address: of its scheduler, such as `tcp://scheduler:8786`. local: instead, that many worker processes of this
    machine are started. Raises UsageError when neither or both are given, or when distributed is not installed.
    """

    def __init__(self, address: str | None = None, *, local: int | None = None) -> None:
        if (address is None) == (local is None):
            raise UsageError("Dask wants the address of a scheduler, or a number of local workers")
        if local is not None and not 1 <= local <= 1024:
            raise UsageError(f"{local} workers: at least 1, at most 1024")
        try:
            import distributed  # noqa: F401  (said now, not when the targets are listed)
        except ImportError:
            raise UsageError(NEEDED) from None
        self.slots = CHUNKS_A_THREAD
        self.address = address
        self._local = local
        self._cluster: Any = None
        self._client: Any = None
        self._settings = ScanSettings()
        self._futures: dict[int, Any] = {}
        self._jobs: dict[int, Sequence[Job]] = {}
        self._tries: dict[int, int] = {}
        self._looked_around = 0.0
        self._last_seen = self._last_worker = 0.0
        self._nthreads: dict[str, int] = {}

    def start(self, settings: ScanSettings) -> None:
        """Connect to the scheduler, or start the local workers."""
        import distributed

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._settings = settings
        try:
            if self._local is not None:
                self._cluster = distributed.LocalCluster(
                    n_workers=self._local, threads_per_worker=1, processes=True, dashboard_address=None
                )
            target = self._cluster if self._cluster is not None else self.address
            self._client = distributed.Client(target, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            self.close()
            raise EngineError(f"no Dask scheduler at {self.address}: {_one_line(error)}") from None
        self._last_seen = self._last_worker = time.monotonic()
        self._look_around()

    def submit(self, chunk: int, jobs: Sequence[Job]) -> None:
        """Give a chunk to the cluster."""
        self._jobs[chunk] = jobs
        self._tries[chunk] = 0
        self._give(chunk)

    def collect(self, timeout: float) -> Sequence[Answer]:
        """The answers of the chunks that are done; raises EngineError when the scheduler is lost."""
        limit = time.monotonic() + timeout
        while True:
            self._look_around()
            # A future may say `lost` for a moment, when the worker that holds its result dies: the scheduler has it
            # done again, and that is no failure.
            done = [chunk for chunk, future in self._futures.items() if future.done()]
            if done:
                return [answer for chunk in done for answer in self._take(chunk)]
            if time.monotonic() >= limit:
                return []
            time.sleep(_PAUSE)

    def workers(self) -> tuple[str, ...]:
        """The addresses of the workers, with their threads."""
        return tuple(f"{address} ({threads} threads)" for address, threads in sorted(self._nthreads.items()))

    def close(self) -> None:
        """Leave the cluster; local workers end."""
        for future in self._futures.values():
            future.release()
        self._futures.clear()
        for closing in (self._client, self._cluster):
            if closing is not None:
                try:
                    closing.close(timeout=5)
                except Exception:  # of several libraries
                    # What cannot be closed properly is lost already.
                    logging.getLogger("distributed").debug("not closed", exc_info=True)
        self._client = self._cluster = None

    def _give(self, chunk: int) -> None:
        try:
            jobs = [tuple(job) for job in self._jobs[chunk]]
            self._futures[chunk] = self._client.submit(look_at, jobs, tuple(self._settings), pure=False)
        except Exception as error:  # distributed raises of everything
            raise EngineError(f"the Dask scheduler took no more chunks: {_one_line(error)}") from None

    def _take(self, chunk: int) -> list[Answer]:
        """The answers of a chunk that is done; none when it has to be done again."""
        import distributed

        future = self._futures.pop(chunk)
        try:
            version, rows = future.result(timeout=LOST_SECONDS)
        except (CancelledError, TimeoutError, OSError) as error:
            if isinstance(error, CancelledError) or not self._alive():
                raise self._lost() from None
            self._again(chunk, str(error))
            return []
        except distributed.KilledWorker as error:
            self._again(chunk, _one_line(error))
            return []
        except Exception as error:  # distributed raises of everything
            raise EngineError(
                f"a worker of the Dask cluster failed: {type(error).__name__}: {_one_line(error)}"
            ) from None
        finally:
            future.release()
        if version != __version__:
            raise EngineError(f"a worker of the Dask cluster has pvgrub-sim {version}, and this is {__version__}")
        del self._jobs[chunk], self._tries[chunk]
        return [Answer(chunk, place, Look(*row)) for place, row in enumerate(rows)]

    def _again(self, chunk: int, why: str) -> None:
        self._tries[chunk] += 1
        if self._tries[chunk] == TRIES:
            raise EngineError(f"the workers of the Dask cluster die again and again: {why}")
        self._give(chunk)

    def _look_around(self) -> None:
        """See whether the scheduler is there, and how many threads it has."""
        now = time.monotonic()
        if self._alive():
            self._last_seen = now
        elif now - self._last_seen > LOST_SECONDS or self._client.status in ("closed", "closing"):
            raise self._lost()
        if now - self._looked_around > _LOOK_AROUND_SECONDS and self._alive():
            self._looked_around = now
            try:
                self._nthreads = dict(self._client.nthreads())
            except Exception as error:  # distributed raises of everything
                raise self._lost() from error
            if self._nthreads:
                self._last_worker = now
            elif now - self._last_worker > NO_WORKERS_SECONDS:
                raise EngineError(f"the Dask scheduler at {self.address or 'this machine'} has no workers")
            self.slots = max(1, CHUNKS_A_THREAD * sum(self._nthreads.values()))

    def _alive(self) -> bool:
        return self._client is not None and self._client.status == "running"

    def _lost(self) -> EngineError:
        where = self.address or "this machine"
        return EngineError(
            f"the Dask scheduler at {where} is lost; what was done is kept, and the next run goes on there"
        )


# --- on the workers

_idle: list[Supervisor] = []
_lock = threading.Lock()


def look_at(jobs: Sequence[tuple[Any, ...]], settings: tuple[Any, ...]) -> tuple[str, list[tuple[Any, ...]]]:
    """Look at a chunk in a supervised process of this worker: our version, and each Look as a tuple.

    jobs, settings: as tuples, so that a worker with another version can tell.
    """
    wanted = ScanSettings(*settings)
    with _lock:
        # Where a worker may write was settled when it started.
        fits = (place for place, one in enumerate(_idle) if one.settings.cache == wanted.cache)
        place = next(fits, None)
        supervisor = Supervisor(wanted) if place is None else _idle.pop(place)
    supervisor.settings = wanted
    try:
        rows = [tuple(seen) for seen in supervisor.look([Job(*job) for job in jobs])]
    except BaseException:  # Ctrl-C as well; it is passed on
        supervisor.end()
        raise
    with _lock:
        _idle.append(supervisor)
    return __version__, rows


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
