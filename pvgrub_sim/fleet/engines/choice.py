"""The engines by name, each imported only when it is wanted."""

from __future__ import annotations

from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.fleet.engines.engine import Engine


def local_engine(jobs: int | None = None) -> Engine:
    """Worker processes of this machine, each guarded, and started anew when an image kills it.

    jobs: how many; None for one a CPU that this process may use. Raises UsageError for a number that makes no sense.
    """
    from pvgrub_sim.fleet.engines.local import LocalEngine

    return LocalEngine(jobs)


def dask_engine(address: str | None = None, *, local: int | None = None) -> Engine:
    """The workers of a Dask cluster, each of which has guarded processes of its own; needs the extra `fleet`.

    address: of the scheduler, `tcp://scheduler:8786`. local: instead, so many workers are started on this machine.
    Raises UsageError when neither or both are given, or when distributed is not installed.
    """
    from pvgrub_sim.fleet.engines.dask import DaskEngine

    return DaskEngine(address, local=local)
