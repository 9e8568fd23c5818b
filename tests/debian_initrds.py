"""Real initrds for the tests: Debian's cloud kernel with its modules, and what initramfs-tools and dracut make for it.

Kept in the cache of tests/debian_kernels.py. Both programs look for modules below /lib/modules, so that they are run
as root only, with links there and in /boot that go again.
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

from pvgrub_sim.values import NamedTuple
from tests.debian_kernels import KernelUnavailable, cache_dir, download
from tests.tools import require

PACKAGE = "linux-image-cloud-amd64"
SYSTEM = Path("/lib/modules")
DRACUT = ("--force", "--no-hostonly", "--nostrip", "--no-early-microcode", "--compress", "gzip -1", "--modules",
          "base udev-rules kernel-modules")  # fmt: skip


class DebianKernel(NamedTuple):
    """A kernel package unpacked. tree: with boot/ and lib/modules/. release: as uname says it."""

    tree: Path
    release: str

    def file(self, name: str) -> bytes:
        """A file of lib/modules/RELEASE, or of boot/ with the release behind its name."""
        folder = self.tree / "lib/modules" / self.release
        return (
            folder / name if (folder / name).exists() else self.tree / "boot" / f"{name}-{self.release}"
        ).read_bytes()


@cache
def debian_kernel_tree() -> DebianKernel:
    """Debian's cloud kernel: xen-blkfront is a module, ext4 is built in, the payload lz4."""
    tree = cache_dir() / "linux-image-cloud-tree"
    with (cache_dir() / "linux-image-cloud-tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            try:
                with tempfile.TemporaryDirectory(dir=cache_dir()) as text:
                    download(PACKAGE, Path(text), ["./boot/*", "./lib/modules/*"])
                    shutil.move(Path(text) / "tree", tree)
            except (KernelUnavailable, StopIteration, subprocess.CalledProcessError) as error:
                if os.environ.get("CI"):
                    pytest.fail(f"no Debian kernel to test with: {error}")
                pytest.skip(f"no Debian kernel to test with: {error}")
    return DebianKernel(tree, next((tree / "lib/modules").iterdir()).name)


@cache
def debian_initrd(kind: str) -> bytes:
    """An initrd for that kernel. kind: `most` or `list` of initramfs-tools' MODULES, or `dracut`."""
    kernel = debian_kernel_tree()
    target = cache_dir() / f"initrd-{kind}-{kernel.release}"
    with (cache_dir() / "initrds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _make(kind, kernel, target)
    return target.read_bytes()


def _make(kind: str, kernel: DebianKernel, target: Path) -> None:
    program = require("dracut" if kind == "dracut" else "mkinitramfs")
    depmod = require("depmod")
    if os.geteuid():
        pytest.skip("initrds are made as root only: their programs look below /lib/modules")
    link = SYSTEM / kernel.release
    SYSTEM.mkdir(parents=True, exist_ok=True)
    made_link = not link.exists()
    if made_link:
        link.symlink_to(kernel.tree / "lib/modules" / kernel.release)
    # mkinitramfs asks the kernel's configuration which compressions it has.
    config_link = Path("/boot") / f"config-{kernel.release}"
    made_config = not config_link.exists()
    if made_config:
        config_link.parent.mkdir(exist_ok=True)
        config_link.unlink(missing_ok=True)
        config_link.symlink_to(kernel.tree / "boot" / config_link.name)
    try:
        subprocess.run([depmod, kernel.release], check=True)
        with tempfile.TemporaryDirectory() as text:
            made = Path(text) / "initrd"
            if kind == "dracut":
                words = [program, *DRACUT, "--kver", kernel.release, "--kmoddir", str(link), str(made)]
            else:
                config = Path(text) / "initramfs-tools"
                shutil.copytree("/etc/initramfs-tools", config)
                settings = config / "initramfs.conf"
                kept = [
                    line for line in settings.read_text().splitlines() if not line.startswith(("MODULES=", "COMPRESS="))
                ]
                settings.write_text("\n".join([*kept, f"MODULES={kind}", "COMPRESS=zstd", ""]))
                words = [program, "-d", str(config), "-o", str(made), kernel.release]
            subprocess.run(words, check=True, capture_output=True, timeout=300)
            shutil.move(made, target)
    finally:
        if made_config:
            config_link.unlink()
        if made_link:
            link.unlink()
