"""Foreign tools that tests compare with or build images with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


PACKAGES = {
    "e2fsprogs": "badblocks debugfs dumpe2fs e2fsck mke2fs mkfs.ext4 resize2fs tune2fs",
    "fdisk": "sfdisk",
    "gdisk": "sgdisk",
    "xfsprogs": "mkfs.xfs xfs_db xfs_repair",
    "jfsutils": "jfs_debugfs jfs_fsck mkfs.jfs",
    "reiserfsprogs": "debugreiserfs mkfs.reiserfs mkreiserfs reiserfsck",
    "dosfstools": "fsck.vfat mkfs.fat mkfs.vfat",
    "mtools": "mattrib mcopy mdel mdir mmd mtype",
    "util-linux": "blkid fsck.minix mkfs.minix mkswap",
    "user-mode-linux": "linux.uml",
    "kmod": "depmod",
    "genisoimage": "genisoimage isoinfo",
    "btrfs-progs": "btrfs mkfs.btrfs",
    "cryptsetup-bin": "cryptsetup",
    "groff-base": "groff",
    "qemu-utils": "qemu-img qemu-io",
    "xxhash": "xxh64sum xxhsum",
    "grub-xen-bin": "grub-mkimage grub-mkstandalone",
    "xz-utils": "xz",
    "binutils": "readelf",
}
"""Debian's packages and the tools that they hold, where a package is not called like its tool."""
_PACKAGE_OF = {tool: package for package, tools in PACKAGES.items() for tool in tools.split()}


def require(tool: str) -> str:
    """The path of a tool; without it the test fails where CI is set, and is skipped with a reason elsewhere."""
    found = shutil.which(tool, path=_PATH)
    if found is None:
        if os.environ.get("CI") and not os.environ.get("PVGRUB_SIM_NO_TOOLS"):
            pytest.fail(f"{tool} is not installed (set PVGRUB_SIM_NO_TOOLS to skip)")
        pytest.skip(f"{tool} is not installed (Debian: {_PACKAGE_OF.get(tool, tool)})")
    return found


def run(tool: str, *args: str | Path, stdin: bytes | None = None) -> bytes:
    """Run a tool and return its standard output; a failing tool fails the test with what it said."""
    # No kernel has to be told of the table of a file, for which sfdisk would wait, and then flush every disk there is.
    quick = ["--no-tell-kernel"] if tool == "sfdisk" else []
    done = subprocess.run([require(tool), *quick, *map(str, args)], input=stdin, capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"{tool} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout
