"""The engine for one machine: as many supervised worker processes as wanted, one thread each to guard them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Sequence

from pvgrub_sim.errors import EngineError, UsageError
from pvgrub_sim.fleet.engines.engine import Answer
from pvgrub_sim.fleet.supervisor import Supervisor
from pvgrub_sim.fleet.values import Job, ScanSettings

MOST_JOBS = 4096


class LocalEngine:
    """Worker processes of this machine.

    jobs: how many; None for one a CPU that this process may use. Raises UsageError for a number that makes no sense.
    """

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and not 1 <= jobs <= MOST_JOBS:
            raise UsageError(f"{jobs} workers: at least 1, at most {MOST_JOBS}")
        self.slots = jobs or len(os.sched_getaffinity(0))
        self._chunks: queue.SimpleQueue[tuple[int, Sequence[Job]] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Sequence[Answer] | EngineError] = queue.SimpleQueue()
        self._supervisors: list[Supervisor] = []
        self._threads: list[threading.Thread] = []

    def start(self, settings: ScanSettings) -> None:
        """Start the guards; each starts its worker when the first chunk comes."""
        self._chunks, self._answers = queue.SimpleQueue(), queue.SimpleQueue()
        for number in range(self.slots):
            supervisor = Supervisor(settings)
            thread = threading.Thread(target=self._guard, args=(supervisor,), name=f"scan-{number}", daemon=True)
            self._supervisors.append(supervisor)
            self._threads.append(thread)
            thread.start()

    def submit(self, chunk: int, jobs: Sequence[Job]) -> None:
        """Take a chunk of jobs; the next guard that is free sees to it."""
        self._chunks.put((chunk, jobs))

    def collect(self, timeout: float) -> Sequence[Answer]:
        """The answers that have come; raises EngineError when workers cannot be started."""
        answers: list[Answer] = []
        try:
            item = self._answers.get(timeout=timeout)
            while True:
                if isinstance(item, EngineError):
                    raise item
                answers += item
                item = self._answers.get_nowait()
        except queue.Empty:
            return answers

    def workers(self) -> tuple[str, ...]:
        """The image that each worker is at."""
        return tuple(supervisor.at for supervisor in self._supervisors)

    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that run."""
        return tuple(supervisor.pid for supervisor in self._supervisors if supervisor.pid is not None)

    def close(self) -> None:
        """End the workers at once."""
        for supervisor in self._supervisors:
            supervisor.close()
        for _ in self._threads:
            self._chunks.put(None)
        for thread in self._threads:
            thread.join()
        self._supervisors.clear()
        self._threads.clear()

    def _guard(self, supervisor: Supervisor) -> None:
        while (item := self._chunks.get()) is not None:
            try:
                self._see_to(supervisor, *item)
            except EngineError as error:
                self._answers.put(error)
                return
            except Exception as error:  # a guard that ends without a word would be waited for
                self._answers.put(EngineError(f"a worker's guard failed: {type(error).__name__}: {error}"))
                return
        supervisor.end()

    def _see_to(self, supervisor: Supervisor, chunk: int, jobs: Sequence[Job]) -> None:
        """Hand on the answers to a chunk; those that came together go together, for to wake the coordinator costs."""
        together: list[Answer] = []
        try:
            for place, seen in enumerate(supervisor.look(jobs)):
                together.append(Answer(chunk, place, seen))
                if not supervisor.gathered:
                    self._answers.put(together)
                    together = []
        finally:
            self._answers.put(together)
