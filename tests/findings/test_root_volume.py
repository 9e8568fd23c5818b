"""Notes on the root volume: fstab, init and gettys, by layouts of distributions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.model import Finding
from tests.findings.test_initrds import XEN, image, named
from tests.initramfs.archives import initrd

RULES = ("fstab-device-missing", "console-without-getty")


def said(folder: Path, files: dict[str, str | bytes]) -> list[Finding]:
    disk = image(folder, {**named(initrd(folder, "drivers/block/xen-blkfront")), **files})
    return [one for one in boot(disk, **XEN).findings if one.rule in RULES]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/dev/sda2 /data ext4 defaults 0 2", "gives no disk of Xen's"),
        ("/dev/hda5 /data ext4 defaults 0 2", "gives no disk of Xen's"),
        ("/dev/xvda2 /data ext4 defaults 0 2", "a partition that the disk does not have"),
        ("/dev/xvdb /data ext4 defaults 0 2", None),
        ("/dev/sda2 /data ext4 noauto 0 2", None),
        ("/dev/sda2 /data ext4 defaults,nofail 0 2", None),
        ("/dev/sda2 none swap sw 0 0", None),
        ("LABEL=other /data ext4 defaults 0 2", None),
        ("# /dev/sda2 /data ext4 defaults 0 2", None),
        ("proc /proc proc defaults 0 0", None),
    ],
)
def test_fstab(line: str, words: str | None, tmp_path: Path) -> None:
    found = said(tmp_path, {"etc/fstab": f"LABEL=root / ext4 defaults 0 1\n{line}\n"})
    assert [(one.where, words is not None and words in one.message) for one in found] == (
        [("(hd0)/etc/fstab line 2", True)] if words else []
    )
    assert all(str(one.severity) == "note" for one in found)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"etc/inittab": "1:2345:respawn:/sbin/getty 38400 tty1\n"}, True),
        ({"etc/inittab": "1:2345:respawn:/sbin/getty 38400 tty1\n#h0:2:respawn:/sbin/getty 38400 hvc0\n"}, True),
        ({"etc/inittab": "h0:2345:respawn:/sbin/getty 38400 hvc0\n"}, False),
        ({"etc/inittab": "co:2345:respawn:/sbin/agetty xvc0 9600 vt100-nav\n"}, False),
        ({"etc/init/tty1.conf": "exec /sbin/getty -8 38400 tty1\n"}, True),
        ({"etc/init/hvc0.conf": "exec /sbin/getty -8 38400 hvc0\n"}, False),
        ({"lib/systemd/systemd": "x", "etc/inittab": "# nobody reads it\n"}, False),
        ({"etc/s6/run": "x"}, False),
    ],
)
def test_a_getty_on_the_console(files: dict[str, str | bytes], found: bool, tmp_path: Path) -> None:
    assert [one.rule for one in said(tmp_path, files)] == ["console-without-getty"] * found


def test_a_root_without_init(tmp_path: Path) -> None:
    disk = image(tmp_path, {**named(initrd(tmp_path)), "usr/bin/env": "x"})
    from tests.tools import run

    run("debugfs", "-w", "-R", "rm /sbin/init", disk)
    (found,) = [one for one in boot(disk, **XEN).findings if one.rule in RULES]
    assert "No working init found" in found.message
