"""Real kernels for the tests: Debian's packages, fetched once with `apt-get download` and kept in a cache.

The cache is `$PVGRUB_SIM_CACHE`, or `.cache/` of the checkout. Nothing of it is committed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


class KernelUnavailable(Exception):
    """No kernel could be had: there is no apt, no network, or no such package."""


def cache_dir() -> Path:
    """The folder that holds what was fetched; made when it is missing."""
    path = Path(os.environ.get("PVGRUB_SIM_CACHE") or CHECKOUT / ".cache")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _run(words: list[str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailable(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        raise KernelUnavailable(f"{' '.join(words)}: {done.stderr.strip()[-400:]}")
    return done.stdout


def _dependency(metapackage: str) -> str:
    """The package with the kernel itself, which a metapackage such as linux-image-amd64 depends on."""
    for line in _run(["apt-cache", "depends", metapackage]).splitlines():
        word = line.strip()
        if word.startswith("Depends: linux-image-"):
            return word.removeprefix("Depends: ")
    return metapackage


def _extract(package: str, target: Path) -> None:
    """Put the boot/vmlinuz-* of a package at target."""
    with tempfile.TemporaryDirectory(dir=cache_dir()) as text:
        folder = Path(text)
        download(package, folder, ["./boot/vmlinuz-*"])
        kernel = next((folder / "tree" / "boot").glob("vmlinuz-*"))
        shutil.move(kernel, target)


def download(metapackage: str, folder: Path, wanted: list[str]) -> None:
    """Fetch the package behind a metapackage, and unpack what is wanted of it into the folder's `tree`."""
    folder.chmod(0o777)  # apt drops its privileges to download
    _run(["apt-get", "-q", "download", _dependency(metapackage)], cwd=folder)
    deb = next(folder.glob("*.deb"))
    tree = folder / "tree"
    tree.mkdir()
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as tar:
        unpack = ["tar", "-x", "-C", str(tree), "--wildcards", *wanted]
        subprocess.run(unpack, stdin=tar.stdout, check=True, stderr=subprocess.DEVNULL)


@cache
def debian_kernel(metapackage: str = "linux-image-cloud-amd64") -> Path:
    """The vmlinuz of a Debian kernel metapackage, from the cache or fetched now.

    `linux-image-cloud-amd64` has an lz4 payload, `linux-image-amd64` an xz one (Debian 12). A test that cannot
    have it fails where CI is set, else it is skipped with the reason.
    """
    target = cache_dir() / f"vmlinuz-{metapackage}"
    with (cache_dir() / f"{metapackage}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            try:
                _extract(metapackage, target)
            except (KernelUnavailable, StopIteration, subprocess.CalledProcessError) as error:
                if os.environ.get("CI"):
                    pytest.fail(f"no Debian kernel to test with: {error}")
                pytest.skip(f"no Debian kernel to test with: {error}")
    return target
