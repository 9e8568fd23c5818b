"""One boot, seen by strace: the image is opened read-only, nothing runs, nothing is connected to, nothing is left."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images import unpack_sparse
from tests.tools import require

FIXTURES = Path(__file__).parents[2] / "fixtures"
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
CHANGING = (
    "unlink",
    "rename",
    "mkdir",
    "rmdir",
    "link",
    "symlink",
    "chmod",
    "chown",
    "truncate",
    "mknod",
    "utime",
    "mount",
)


@pytest.mark.parametrize("name", ["images/boots", "images/demo", "hostile/term", "hostile/inj-ow-self"])
def test_one_boot(name: str, tmp_path: Path) -> None:
    strace = require("strace")
    image = unpack_sparse(FIXTURES / f"{name}.img.zst", tmp_path / "disk.img")
    digest = hashlib.sha256(image.read_bytes()).digest()
    log = tmp_path / "log"
    empty = tmp_path / "empty"
    empty.mkdir()
    traced = [strace, "-f", "-o", str(log), "-e", "trace=%file,%network,%process,%desc", sys.executable, "-m"]
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(FIXTURES.parent),
        "TMPDIR": str(empty),
    }
    done = subprocess.run(
        [*traced, "pvgrub_sim", "boot", str(image)], capture_output=True, cwd=empty, env=environment, check=False
    )
    assert done.returncode in (0, 1, 3) and done.stderr == b""
    calls = [line.split(None, 1)[1] for line in log.read_text(errors="replace").splitlines()]
    names = [call.partition("(")[0] for call in calls]
    opened = [call for call in calls if call.startswith("open") and str(image) in call]
    assert opened and all("O_RDONLY" in call and not WRITING.search(call) for call in opened)
    assert [call for call in calls if call.startswith("open") and WRITING.search(call)] == []
    assert names.count("execve") == 1 and not {"execveat", "fork", "vfork"} & set(names)
    assert [call for call in calls if call.startswith("clone") and "CLONE_THREAD" not in call] == []
    assert not {"socket", "connect", "bind", "sendto"} & set(names)
    assert [call for call in calls if call.startswith(CHANGING)] == []
    written = {call[len("write(") :].partition(",")[0] for call in calls if call.startswith("write(")}
    assert written <= {"1"}
    assert hashlib.sha256(image.read_bytes()).digest() == digest
    assert list(empty.iterdir()) == []
