"""What a worker of a scan may do, beside reading: write into the spool folder, and nothing else."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from pvgrub_sim.confine import landlock_version
from tests.images import unpack_sparse

FIXTURES = Path(__file__).parents[2] / "fixtures"

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


def test_a_worker_unpacks_where_temporary_files_go_by_themselves(tmp_path: Path) -> None:
    image = tmp_path / "disk.img.gz"
    image.write_bytes(
        gzip.compress(unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "raw").read_bytes())
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("TMPDIR", "TEMP", "TMP")}
    command = [sys.executable, "-m", "pvgrub_sim", "scan", str(image), "--store", str(tmp_path / "scan.db"), "--quiet"]
    done = subprocess.run([*command, "--jobs", "1"], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
