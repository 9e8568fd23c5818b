"""Operating systems, their kernels' modules, and initrds, as `inspect` tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import inspect_image
from pvgrub_sim.cli import main
from tests.debian_initrds import debian_initrd, debian_kernel_tree
from tests.initramfs.archives import RELEASE, initrd
from tests.tools import run

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n'


def image(
    folder: Path, files: dict[str, str | bytes], *, links: dict[str, str] | None = None, size: str = "8M"
) -> Path:
    tree = folder / "tree"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content.encode() if isinstance(content, str) else content)
    for path, target in (links or {}).items():
        (tree / path).symlink_to(target)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, folder / "disk.img", size)
    return folder / "disk.img"


@pytest.mark.parametrize(
    ("files", "links", "name"),
    [
        ({"usr/lib/os-release": DEBIAN, "etc/hostname": "x"}, {"etc/os-release": "../usr/lib/os-release"}, "bookworm"),
        ({"usr/lib/os-release": DEBIAN}, {}, "Debian GNU/Linux 12 (bookworm)"),
        ({"etc/os-release": "NAME=Alpine\nPRETTY_NAME='Alpine Linux v3.18'\n"}, {}, "Alpine Linux v3.18"),
        ({"etc/os-release": "PRETTY_NAME=Arch\n"}, {}, "Arch"),
        ({"etc/redhat-release": "CentOS release 6.9 (Final)\n"}, {}, "CentOS release 6.9 (Final)"),
        ({"etc/debian_version": "6.0.10\n"}, {}, "Debian 6.0.10"),
        ({"etc/hostname": "x"}, {}, None),
    ],
)
def test_the_operating_system(
    files: dict[str, str | bytes], links: dict[str, str], name: str | None, tmp_path: Path
) -> None:
    (content,) = inspect_image(image(tmp_path, files, links=links)).whole.contents
    told = content.detail.get("operating_system")
    assert told is None if name is None else name in told


def test_kernels_with_their_modules_and_initrds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = debian_kernel_tree().release
    files: dict[str, str | bytes] = {
        "etc/os-release": DEBIAN,
        f"lib/modules/{release}/modules.builtin": "x\n",
        f"usr/lib/modules/{RELEASE}/modules.builtin": "x\n",
        f"boot/initrd.img-{release}": debian_initrd("most"),
        f"boot/initrd.img-{RELEASE}": initrd(tmp_path, "drivers/block/virtio_blk", form="xz"),
        "boot/initrd.img-cut": initrd(tmp_path, "drivers/block/xen-blkfront", form="xz")[:-40],
        "boot/initrd.img-odd": "no initrd at all",
    }
    disk = image(tmp_path, files, size="48M")
    assert main(["inspect", str(disk)]) == 0
    out = capsys.readouterr().out
    assert "operating system: Debian GNU/Linux 12 (bookworm)" in out
    assert f"kernel modules: {RELEASE} {release}" in out
    lines = {line.partition("/boot/")[2].split(",")[0]: line for line in out.splitlines() if "/boot/" in line}
    assert "compression zstd, modules " in lines[f"initrd.img-{release}"]
    assert f"of {release}, xen_blkfront yes" in lines[f"initrd.img-{release}"]
    assert f"compression xz, modules 1 of {RELEASE}, xen_blkfront no" in lines[f"initrd.img-{RELEASE}"]
    assert "trouble it ends in the middle of its xz data" in lines["initrd.img-cut"]
    assert "compression" not in lines["initrd.img-odd"]
