"""A worker process: takes requests from standard input, answers on standard output, and dies rather than linger.

Started by fleet/supervisor.py. Its limits are its own: the address space, and an
alarm behind the supervisor's time limit, for the case that the supervisor is no more.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import tempfile
from contextlib import suppress

from pvgrub_sim.confine import restrict
from pvgrub_sim.fleet.look import look
from pvgrub_sim.fleet.values import ScanSettings
from pvgrub_sim.fleet.wire import HEAD, pack_look, unpack_request
from pvgrub_sim.media.formats.unlinked import spool_folder
from pvgrub_sim.xen.memory import LoaderMemory

OUT_OF_MEMORY = 77
"""The exit status of a worker whose image wants more memory than it may have."""
GRACE = 10.0
"""Seconds after the time limit at which a worker ends by itself."""
GARBAGE_THRESHOLD = 50_000
MIB = 1 << 20


def serve(*folders: str) -> None:
    """Answer requests until standard input ends.

    folders: where a worker may write besides; they are made if they are not there.
    """
    # Standard output belongs to the answers alone, whatever a library prints.
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.set_threshold(GARBAGE_THRESHOLD)
    for folder in folders:
        # Where that cannot be done, each look that wants the folder says so.
        with suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103  (pathlib is not needed otherwise)
    # Where the kernel has Landlock a worker runs nothing and writes nowhere but where compressed images are spooled,
    # and what is fetched is kept.
    restrict(read=["/"], write=[*_temporary(), *folders], network=True)
    _write(answers, HEAD.pack(0, 0))
    kernels = LoaderMemory()
    limited = 0
    for line in sys.stdin.buffer:
        jobs, settings = unpack_request(line)
        if settings.memory != limited:
            limited = settings.memory
            _limit_memory(settings)
        for job in jobs:
            signal.setitimer(signal.ITIMER_REAL, settings.timeout + GRACE)
            try:
                frame = pack_look(look(job, settings, kernels))
            except MemoryError:
                os._exit(OUT_OF_MEMORY)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _write(answers, frame)


def _temporary() -> list[str]:
    """The folders of temporary files; none where nothing can be written at all, which most images do without."""
    try:
        return [spool_folder(), tempfile.gettempdir()]
    except OSError:
        return []


def _limit_memory(settings: ScanSettings) -> None:
    """Bound the address space; a lower limit that the caller has set stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = settings.memory * MIB
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
