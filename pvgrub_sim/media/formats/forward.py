"""What a spool keeps: bytes that come one after another, and what is told of how many they are."""

from __future__ import annotations

from pvgrub_sim.typed import Protocol, runtime_checkable
from pvgrub_sim.values import NamedTuple


class Told(NamedTuple):
    """What a stream unpacks to, in bytes. sure: whether anything else is damage; else it is only likely."""

    size: int
    sure: bool


class Forward(Protocol):
    """Bytes one after another, which cannot be gone back to."""

    def read(self) -> bytes | memoryview:
        """The next bytes, at most a few MiB; none at the end. They may be overwritten by the next call.

        Raises ImageError when they cannot be had.
        """

    def close(self) -> None:
        """Release what is below."""


@runtime_checkable
class ReadsAhead(Forward, Protocol):
    """A stream that goes on by itself."""

    @property
    def ready(self) -> bool:
        """Whether the next read() gives its bytes without waiting and without an error of the stream."""
