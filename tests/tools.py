"""Foreign tools that tests compare with or build images with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def require(tool: str) -> str:
    """The path of a tool; without it the test fails where CI is set, and is skipped with a reason elsewhere."""
    found = shutil.which(tool, path=_PATH)
    if found is None:
        if os.environ.get("CI") and not os.environ.get("PVGRUB_SIM_NO_TOOLS"):
            pytest.fail(f"{tool} is not installed (set PVGRUB_SIM_NO_TOOLS to skip)")
        pytest.skip(f"{tool} is not installed")
    return found


def run(tool: str, *args: str | Path, stdin: bytes | None = None) -> bytes:
    """Run a tool and return its standard output; a failing tool fails the test with what it said."""
    done = subprocess.run([require(tool), *map(str, args)], input=stdin, capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"{tool} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout
