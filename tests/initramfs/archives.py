"""initrds made with cpio and the formats' own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.tools import require, run

RELEASE = "5.10.0-made"
BLKFRONT = f"lib/modules/{RELEASE}/kernel/drivers/block/xen-blkfront.ko"
PACKERS = {
    "gzip": ("gzip", "-9n"),
    "bzip2": ("bzip2",),
    "xz": ("xz", "--check=crc32"),
    "lzma": ("xz", "--format=lzma"),
    "lzo": ("lzop", "-9"),
    "lz4": ("lz4", "-l"),
    "zstd": ("zstd", "-q", "-19"),
}


def cpio(folder: Path, files: Mapping[str, bytes | str], form: str = "newc") -> bytes:
    """An archive of files by path, as cpio makes it; folder: where it may work."""
    tree = folder / "initrd-tree"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    names = b"".join(f"{path.relative_to(tree)}\n".encode() for path in sorted(tree.rglob("*")))
    done = subprocess.run(
        [require("cpio"), "-o", "-H", form, "--quiet"], input=names, cwd=tree, capture_output=True, check=True
    )
    run("rm", "-r", tree)
    return done.stdout


def packed(form: str, data: bytes) -> bytes:
    """Data compressed by the format's own program."""
    tool, *options = PACKERS[form]
    return run(tool, *options, stdin=data)


def initrd(
    folder: Path, *modules: str, form: str = "gzip", release: str = RELEASE, built_in: str | None = None
) -> bytes:
    """An initrd with a /init and modules of a release."""
    files: dict[str, bytes | str] = {"init": "#!/bin/sh\n", "bin/busybox": "x"}
    files.update({f"lib/modules/{release}/kernel/{name}.ko": "x" for name in modules})
    if built_in is not None:
        files[f"lib/modules/{release}/modules.builtin"] = built_in
    return packed(form, cpio(folder, files))
