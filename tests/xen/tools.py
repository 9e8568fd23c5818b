"""Payloads made by the tools that the kernel's build uses."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.tools import run


def lzo_file(data: bytes) -> bytes:
    """What lzop makes, as in the kernel's build."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vmlinux.bin"
        path.write_bytes(data)
        return run("lzop", "-9", "-c", path)
