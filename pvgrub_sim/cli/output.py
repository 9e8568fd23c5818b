"""Writing a file that a command makes: whole, or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pvgrub_sim.errors import UsageError


def write_file(path: str, data: bytes | bytearray) -> None:
    """Write data to a file, or to standard output when it is called `-`; raises UsageError where that fails.

    The file appears under its name when all of it is written, so one may write over what was read.
    """
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
