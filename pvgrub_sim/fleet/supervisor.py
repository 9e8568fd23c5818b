"""One worker process and its guard: the guard sees to it that every job has an answer, whatever the image does."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pvgrub_sim
from pvgrub_sim import __version__
from pvgrub_sim.errors import EngineError
from pvgrub_sim.fleet.child import OUT_OF_MEMORY
from pvgrub_sim.fleet.values import Job, Look, ScanSettings, ScanState
from pvgrub_sim.fleet.wire import HEAD, LONGEST, pack_request, unpack_look

STRIKES = 2
"""Workers that an image may kill before it is left alone."""
START_SECONDS = 120.0
STARTS = 3
"""Times in a row that a worker may end by itself before it is ready; then the engine gives up."""
KILLED_STARTS = 30
"""The same for workers that someone kills, who may be out for memory that others need."""
_PIECE = 1 << 16
LONGEST_NAP = 0.02
"""Seconds that a guard lets answers gather in the pipe: to be woken for each costs more than to read it."""
_CODE = "import sys; sys.path.append(sys.argv[1]); from pvgrub_sim.fleet.child import serve; serve(*sys.argv[2:])"
_COMMAND = (sys.executable, "-P", "-c", _CODE, str(Path(pvgrub_sim.__file__).parents[1]))
"""-P: no module is taken from the folder in which a scan happens to run."""


class _Died(Exception):
    """The worker is no more; args: why, in words."""


class Supervisor:
    """A worker process that is started when it is needed, watched, and started anew when it dies.

    settings: how images are looked at. Not for several threads at once; close() ends the worker.
    """

    def __init__(self, settings: ScanSettings) -> None:
        self.settings = settings
        self.at = ""
        """What the worker is looking at, or empty."""
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._nap = 0.0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._process.pid if self._process else None

    @property
    def gathered(self) -> bool:
        """True while (some of) the next answer has been received already."""
        return bool(self._buffer)

    def look(self, jobs: Sequence[Job]) -> Iterator[Look]:
        """The answer to each job, in their order, as soon as it is there; raises EngineError when no worker starts.

        A job that kills its worker twice is answered with ScanState.KILLED. After close() nothing more comes.
        """
        done = strikes = 0
        while done < len(jobs) and not self._stopped():
            begin = time.perf_counter()
            try:
                self._ask(jobs[done:])
                while done < len(jobs) and not self._stopped():
                    self.at = jobs[done].source
                    seen = self._answer(self.settings.timeout)
                    strikes = 0
                    done += 1
                    # Half of what the rest will take at this pace: a worker never waits for its next chunk.
                    self._nap = min(LONGEST_NAP, max(0, len(jobs) - done - 1) * seen.seconds / 2)
                    yield seen
                    begin = time.perf_counter()
            except _Died as death:
                self._nap = 0.0
                self._kill()
                strikes += 1
                if strikes == STRIKES and not self._stopped():
                    strikes = 0
                    done += 1
                    seconds = round(time.perf_counter() - begin, 6)
                    yield Look(ScanState.KILLED, __version__, seconds=seconds, error=str(death))
        self.at = ""

    def close(self) -> None:
        """End the worker at once; may be called from another thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _end(self._process)

    def _stopped(self) -> bool:
        # A method, since another thread may change the answer at any time.
        return self._closed

    def end(self) -> None:
        """Take leave of the worker, in the thread that uses it."""
        self._kill()

    # --- the process

    def _start(self) -> subprocess.Popen[bytes]:
        ended = killed = 0
        while ended < STARTS and killed < KILLED_STARTS:
            if self._stopped():
                raise _Died("the scan was stopped")
            cache = () if self.settings.cache is None else (self.settings.cache,)
            # A session of its own: a terminal's Ctrl-C is for the coordinator, which lets workers finish.
            process = subprocess.Popen(
                (*_COMMAND, *cache),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
            with self._lock:
                self._process = process
                if self._closed:
                    _end(process)
            self._buffer.clear()
            try:
                self._take(HEAD.size, time.monotonic() + START_SECONDS)
                return process
            except _Died:
                if self._status() < 0:
                    killed += 1
                else:
                    ended += 1
                self._kill()
        raise EngineError(f"a worker cannot be started: {sys.executable} ends at once")

    def _ask(self, jobs: Sequence[Job]) -> None:
        process = self._process or self._start()
        assert process.stdin is not None
        view = memoryview(pack_request(jobs, self.settings))
        try:
            while view:
                view = view[os.write(process.stdin.fileno(), view) :]
        except OSError:
            raise _Died(self._why()) from None

    def _answer(self, timeout: float) -> Look:
        limit = time.monotonic() + timeout
        head, body = HEAD.unpack(self._take(HEAD.size, limit))
        if head > LONGEST or body > LONGEST:
            raise _Died("its worker's answer makes no sense")
        try:
            return unpack_look(self._take(head, limit), self._take(body, limit))
        except ValueError:
            raise _Died("its worker's answer makes no sense") from None

    def _take(self, length: int, limit: float) -> bytes:
        """The next bytes that the worker writes; raises _Died when it is dead, or the time (of monotonic()) is up."""
        if len(self._buffer) < length:
            self._receive(length, limit)
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _receive(self, length: int, limit: float) -> None:
        """Wait until so many bytes are there."""
        process = self._process
        assert process is not None and process.stdout is not None
        file = process.stdout.fileno()
        poll = select.poll()
        poll.register(file, select.POLLIN)
        nap, self._nap = self._nap, 0.0
        if nap > 0:
            time.sleep(nap)
        while len(self._buffer) < length:
            # Not select(), which knows no descriptors above 1023.
            if not poll.poll(max(0.0, limit - time.monotonic()) * 1000):
                raise _Died(f"took longer than {self.settings.timeout:g} s")
            piece = os.read(file, max(_PIECE, length - len(self._buffer)))
            if not piece:
                raise _Died(self._why())
            self._buffer += piece

    def _status(self) -> int:
        """The exit status of a worker that has closed its output; negative for a signal, 0 when it lives on."""
        assert self._process is not None
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            return 0

    def _why(self) -> str:
        """How the worker died, in words."""
        status = self._status()
        if status == OUT_OF_MEMORY:
            return f"needs more than {self.settings.memory} MiB of memory"
        if status < 0:
            try:
                return f"its worker died of {signal.Signals(-status).name}"
            except ValueError:
                return f"its worker died of signal {-status}"
        return f"its worker ended with status {status}"

    def _kill(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        _end(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker and whatever it may have started, which is in its group."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
