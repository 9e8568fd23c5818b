"""What the commands share: printing what a terminal can show, and writing files whole or not at all."""

from __future__ import annotations

import os
import sys

from pvgrub_sim import UsageError

KERNEL_HELP = "a kernel file, or one on a disk image as PV-GRUB reads it: disk.img:'(hd0)/boot/vmlinuz'"
"""Of the argument that examine_kernel() and its like take."""


def printable(line: str) -> str:
    """A line without anything that a terminal would obey or could not encode."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def complain(error: object) -> None:
    """One line on standard error, whatever is in the message."""
    print(f"pvgrub-sim: {printable(str(error))}", file=sys.stderr)


def write_file(path: str, data: bytes | bytearray) -> None:
    """Write data to a file, or to standard output when it is called `-`; raises UsageError where that fails.

    The file appears under its name when all of it is written, so one may write over what was read.
    """
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    # Only where it is wanted, for a quick start of everything else.
    import tempfile
    from pathlib import Path

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
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
