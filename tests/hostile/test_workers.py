"""What a worker of a scan may do, beside reading: write into the spool folder, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pvgrub_sim.confine import landlock_version

TRY = """
import io, json, os, subprocess, sys, tempfile
from pvgrub_sim.fleet import child
outside = sys.argv[1]
sys.stdin = io.TextIOWrapper(io.BytesIO(b""))
told = os.dup(1)
child.serve()
def can(act):
    try:
        act()
    except (OSError, subprocess.SubprocessError):
        return False
    return True
os.write(told, json.dumps({
    "read": can(lambda: open(outside).read()),
    "write": can(lambda: open(outside, "w")),
    "make": can(lambda: open(outside + ".new", "w")),
    "run": can(lambda: subprocess.run(["/bin/true"], check=True)),
    "spool": can(lambda: tempfile.TemporaryFile().write(b"x")),
}).encode())
"""


def test_a_worker_only_reads(tmp_path: Path) -> None:
    outside, spool = tmp_path / "outside", tmp_path / "spool"
    outside.write_text("x")
    spool.mkdir()
    environment = {**os.environ, "TMPDIR": str(spool)}
    command = [sys.executable, "-c", TRY, str(outside)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    told = json.loads(done.stdout[done.stdout.index(b"{") :])
    assert told["read"] and told["spool"]
    if landlock_version():
        assert not told["write"] and not told["make"] and not told["run"]
    assert outside.read_text() == "x" or not landlock_version()
