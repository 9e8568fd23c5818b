"""Names that want to be commands, and how remedies are run to see that they are not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tools import require

SHELLS = ("bash", "dash")
HOSTILE: tuple[bytes, ...] = (
    b"';>P;'",
    b'";>P;"',
    b"$(>P)",
    b"`>P`",
    b"\n>P\n",
    b"\nEND\n>P\n",
    b"\n!>P\n",
    b"\n1e >P\n#",
    b"!>P",
    b"|e >P;",
    b"&&>P&&",
    b";>P;#",
    b"-rf",
    b"--help",
    b"/../../../P",
    b"\\n>P\\\n",
    b"\x1b]0;P\x07\x9b2J",
    b"\xff\xfe>P",
    "\u202e>P\u2028".encode(),
    b"\x00>P\r\n::error::",
)
"""What runs makes a file P."""

_STUB = """#!/bin/sh
# Stands for a tool that changes images: only what a shell makes of the words is looked at.
case "$0 $*" in
*/debugfs*)
    while read -r command rest; do
        case $command in
        rm | write | ln | unlink | mkdir | symlink | feature) ;;
        *) >P ;;
        esac
    done
    ;;
*cat\\ --survey*) seq 1 40 ;;
esac
exit 0
"""
_TOOLS = ("debugfs", "pvgrub-sim", "e2fsck", "resize2fs", "mke2fs", "sfdisk", "sgdisk", "dd", "mcopy", "mmd", "mdel",
          "mtype", "btrfs", "aws", "truncate", "sha256sum", "cmp", "mv", "du")  # fmt: skip


def stubs(folder: Path) -> Path:
    """A folder with stubs of all tools that change images or compare; sed and the shells are the real ones."""
    folder.mkdir()
    (folder / "stub").write_text(_STUB)
    (folder / "stub").chmod(0o755)
    for tool in _TOOLS:
        (folder / tool).symlink_to("stub")
    return folder


def run_remedy(remedy: str, folder: Path, shell: str, tools: Path | None = None) -> None:
    """Run a remedy in a folder, whatever comes of it. tools: a folder with tools that come first."""
    places = [
        *([str(tools)] if tools else []),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
        "/usr/sbin",
        "/sbin",
    ]
    subprocess.run(
        [require(shell), "-c", remedy], cwd=folder, env={**os.environ, "PATH": os.pathsep.join(places)},
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
    )  # fmt: skip


def fresh(folder: Path) -> Path:
    """An empty folder in the place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
