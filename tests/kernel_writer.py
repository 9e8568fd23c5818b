"""Images written by a real Linux: a User-mode Linux kernel mounts them and runs a shell script.

Debian's package user-mode-linux has JFS, ReiserFS, XFS, ext4 and btrfs built in, and minix as a module. It needs
no privileges: its root is the host's file tree, read-only.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools import require

DONE = "the script ran to its end"
DISKS = "abcdefgh"

_INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs -o size=512m tmpfs /mnt
(
set -e
cd /mnt
{script}
)
[ $? -ne 0 ] || echo {done}
sync
umount -a -t jfs,reiserfs,minix,xfs,ext4 2>/dev/null
halt -f 2>/dev/null || echo o > /proc/sysrq-trigger
sleep 5
"""


def kernel_modules() -> Path:
    """Where User-mode Linux has its modules, below /usr/lib/uml."""
    found = sorted(Path("/usr/lib/uml/modules").glob("*/kernel"))
    if not found:
        pytest.skip("User-mode Linux has no modules here (Debian: user-mode-linux)")
    return found[-1]


def run_in_kernel(script: str, disks: Sequence[Path], folder: Path, timeout: float = 240) -> str:
    """Run a shell script under a real kernel; returns what it printed.

    disks: image files, /dev/ubda and so on there, writable. folder: where the script is kept. The script runs with
    `set -e` in an empty folder in memory, /mnt, and sees the host's files; a failure fails the test.
    """
    linux = require("linux.uml")
    init = folder / "init.sh"
    init.write_text(_INIT.format(script=script, done=shlex.quote(DONE)))
    init.chmod(0o755)
    command = [
        linux,
        "mem=640M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={init}",
        "con=null",
        "con0=null,fd:1",
        "quiet",
        *(f"ubd{name}={path}" for name, path in zip(DISKS, disks, strict=False)),
    ]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout, env=environment
    )
    output = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    if DONE not in output:
        pytest.fail(f"the script failed under User-mode Linux:\n{output[-4000:]}{done.stderr.decode()[-2000:]}")
    return output
