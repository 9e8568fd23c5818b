"""Runs the program in a child with limits of memory and processor time that the kernel holds it to."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import NamedTuple


class Run(NamedTuple):
    """What came of it: exit status, both outputs, seconds of processor time, and the peak of resident memory in MiB."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    peak: float


_MEASURE = """
import resource, sys
from pvgrub_sim.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as done:
    status = done.code
sys.stdout.flush()
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss, which begins with the size of the process that started this one.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"\\n{used.ru_utime + used.ru_stime} {int(peak) / 1024}", file=sys.stderr)
sys.exit(status)
"""


def limited(words: list[str], *, seconds: int = 20, mib: int = 400) -> Run:
    """Run a command; it is killed beyond the seconds, and has no address space beyond the MiB and Python's own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        space = (mib + 300) << 20
        resource.setrlimit(resource.RLIMIT_AS, (space, space))

    command = [sys.executable, "-c", _MEASURE, *words]
    done = subprocess.run(command, capture_output=True, check=False, preexec_fn=limit)
    assert done.returncode in (0, 1, 2, 3), (words, done.returncode, done.stderr[-2000:])
    err, _, used = done.stderr.rstrip(b"\n").rpartition(b"\n")
    assert b"Traceback" not in err and b"MemoryError" not in err, err.decode()
    cpu, peak = map(float, used.split())
    assert peak < mib, (words, peak)
    return Run(done.returncode, done.stdout, err, cpu, peak)
