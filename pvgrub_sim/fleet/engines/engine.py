"""What every engine offers: submit a chunk, collect answers."""

from __future__ import annotations

from collections.abc import Sequence

from pvgrub_sim.fleet.values import Job, Look, ScanSettings
from pvgrub_sim.typed import Protocol, runtime_checkable
from pvgrub_sim.values import NamedTuple


class Answer(NamedTuple):
    """What came of a job. chunk: the number under which it was submitted. place: of the job in its chunk, from 0."""

    chunk: int
    place: int
    look: Look


@runtime_checkable
class Engine(Protocol):
    """Looks at images, chunk by chunk; each job of each chunk has one answer."""

    @property
    def slots(self) -> int:
        """Chunks that it wants to have in hand at once."""

    def start(self, settings: ScanSettings) -> None:
        """Make ready; settings: how images are looked at. Raises EngineError."""

    def submit(self, chunk: int, jobs: Sequence[Job]) -> None:
        """Take a chunk of jobs. chunk: a number that it does not have yet. Raises EngineError."""

    def collect(self, timeout: float) -> Sequence[Answer]:
        """The answers that have come, after at most `timeout` seconds of waiting for one; raises EngineError."""

    def workers(self) -> tuple[str, ...]:
        """What each worker is at, in words."""

    def close(self) -> None:
        """End the workers; chunks in hand are given up."""
