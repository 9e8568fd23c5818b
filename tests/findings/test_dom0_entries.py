"""Entries for a dom0 in a guest's menu, as SLES, CentOS 5 and Debian write them: a hypervisor is no guest's kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from tests.findings.test_field_cases import UUID, ext3, finding, kernel, menu_of
from tests.kernel_images import Elf

SLES = f"""default 0
timeout 8
title Xen -- SLES 11
    root (hd0)
    kernel /boot/xen.gz
    module /boot/vmlinuz-3.0-xen root=UUID={UUID} splash=silent
    module /boot/initrd-3.0-xen
title SLES 11
    root (hd0)
    kernel /boot/vmlinuz-3.0-default root=UUID={UUID}
"""
CENTOS = f"""default=0
timeout=5
title CentOS (2.6.18-164.el5xen)
\troot (hd0,0)
\tkernel /xen.gz-2.6.18-164.el5
\tmodule /vmlinuz-2.6.18-164.el5xen ro root=UUID={UUID} console=xvc0
\tmodule /initrd-2.6.18-164.el5xen.img
"""


@pytest.mark.parametrize("hypervisor", [None, Elf(bits=32, notes=b"").build()])
def test_the_dom0s_kernel_is_started_with_its_arguments(
    hypervisor: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the hypervisor is there or not: another kernel in its place would have no root=."""
    monkeypatch.chdir(tmp_path)
    files: dict[str, bytes | str] = {
        "boot/vmlinuz-3.0-xen": kernel("3.0-xen"), "boot/initrd-3.0-xen": b"i", "boot/grub/menu.lst": SLES,
        "boot/vmlinuz-3.0-default": b"\x7fELF",
    } | ({"boot/xen.gz": hypervisor} if hypervisor else {})  # fmt: skip
    image = ext3(tmp_path / "a.img", files)
    errors = [one.rule for one in boot(image.name).findings if one.severity == "error"]
    assert errors == ["not-a-kernel"] and "a dom0" in finding(boot(image.name), "not-a-kernel").message
    fixed = fix(image.name, "out.img")
    assert fixed.mended and fixed.after.kernel is not None and fixed.after.initrd is not None
    assert (fixed.after.kernel.path, fixed.after.initrd.path) == ("/boot/vmlinuz-3.0-xen", "/boot/initrd-3.0-xen")
    assert (fixed.after.cmdline or "").startswith(f"root=UUID={UUID} splash=silent")
    assert not [line for line in menu_of(Path("out.img")) if "module" in line]


def test_a_wrong_root_is_put_right_besides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    version = "2.6.18-164.el5xen"
    files: dict[str, bytes | str] = {f"vmlinuz-{version}": kernel(version), "boot/grub/menu.lst": CENTOS}
    image = ext3(tmp_path / "a.img", files | {f"initrd-{version}.img": b"i"})
    plan = boot(image.name).plan
    assert plan is not None and plan.proven
    fixed = fix(image.name, "out.img")
    assert fixed.mended and fixed.after.cmdline == f"ro root=UUID={UUID} console=xvc0"
    assert "\troot (hd0)" in menu_of(Path("out.img"))
