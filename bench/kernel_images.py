"""Builders of JFS and ReiserFS images for bench_fs_read.py: a real kernel, under User-mode Linux, copies the folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.kernel_writer import run_in_kernel

MIB = 1 << 20
FOLDER = "many"
"""As in bench_fs_read.py."""
TIMEOUT = 1200
"""Seconds: a folder of 100 000 files takes a minute or two."""


def make_in_kernel(kind: str, make: list[str], extra: int) -> Callable[[Path, Path, list[str], int], None]:
    """A builder of images of a filesystem that the kernel calls `kind`.

    make: the command that makes it empty. extra: bytes to add to the image's size, for journals.
    """

    def build(image: Path, folder: Path, names: list[str], size: int) -> None:
        with image.open("wb") as file:
            file.truncate(size + extra)
        subprocess.run([*make, str(image)], check=True, capture_output=True)
        with tempfile.TemporaryDirectory() as workplace:
            touch = Path(workplace, "touch.py")
            touch.write_text(f"for name in {names!r}:\n    open(name, 'w').close()\n")
            script = f"""
mkdir a
mount -t {kind} /dev/ubda a
cp -r {folder}/. a/
mkdir a/{FOLDER}
cd a/{FOLDER}
{sys.executable} {touch}
cd ../..
umount a
"""
            run_in_kernel(script, [image], Path(workplace), TIMEOUT)

    return build


BUILDERS = {
    "jfs": make_in_kernel("jfs", ["mkfs.jfs", "-q"], 64 * MIB),
    "reiserfs": make_in_kernel("reiserfs", ["mkfs.reiserfs", "-q", "-f", "-f", "-s", "513"], 64 * MIB),
}
"""As in bench_fs_read.py. minix version 1 is left out: a filesystem of 64 MiB is its largest."""
