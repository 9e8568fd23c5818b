"""What people have reported of PV-GRUB, each built anew: the findings say what a tool should have said before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim.model import Finding, Outcome, Verdict
from pvgrub_sim.verdict import boot
from tests.findings.cases import XEN
from tests.findings.test_rules import unpack
from tests.tools import run


def simulate(name: str, folder: Path, **options: Any) -> Verdict:
    return boot(unpack(name, folder), **options)


def finding(verdict: Verdict, rule: str) -> Finding:
    found = [one for one in verdict.findings if one.rule == rule]
    assert found, [one.rule for one in verdict.findings]
    return found[0]


@pytest.mark.parametrize("version", ["xen-4.4", "amazon-1.05"])
def test_a_zstd_kernel_on_a_vps_host(version: str, tmp_path: Path) -> None:
    """NixOS/nixpkgs 249357, flatcar/Flatcar 1397: which versions unpack it, and how to repack."""
    verdict = simulate("images/ext4-zstd", tmp_path, **{**XEN, "pvgrub": version})
    found = finding(verdict, "payload-unsupported")
    assert "zstd" in found.message and version in found.message
    assert "repack --payload gzip" in found.remedy
    assert simulate("images/ext4-zstd", tmp_path, **XEN).outcome is Outcome.BOOTS


def test_an_xz_kernel_after_an_upgrade_on_an_old_aki(tmp_path: Path) -> None:
    """turnkeylinux/tracker 509, kali-cloud-build 3, build-debian-cloud 101: the AKI is outdated, with the ids."""
    verdict = simulate("rules/xz-kernel", tmp_path, aki="pv-grub-hd0-V1.03-x86_64.gz")
    assert "xz" in finding(verdict, "payload-unsupported").message
    assert finding(verdict, "aki-outdated").severity == "error"


def test_hd00_akis_give_way_to_hd0(tmp_path: Path) -> None:
    """andsens/bootstrap-vz 2: from 1.04 on the hd0 AKI finds both layouts."""
    from pvgrub_sim.profiles.catalogue import by_id, select

    old = next(row for row in select(device="hd00", version="1.03", arch="x86_64"))
    verdict = simulate("images/mbr-primary", tmp_path, aki=old.id)
    assert verdict.boots_default
    remedy = finding(verdict, "aki-outdated").remedy
    target = by_id(remedy.partition("Value=")[2].split()[0])
    assert target is not None and (target.device, target.version, target.region) == ("hd0", "1.05", old.region)


def test_another_volume_comes_first(tmp_path: Path) -> None:
    """turnkeylinux/tracker 693: the order of the vbd numbers decides which disk is hd0."""
    data = tmp_path / "data.img"
    data.write_bytes(bytes(4 << 20))
    image = unpack("images/boots", tmp_path)
    assert boot(image, device="/dev/sda2", disks={"/dev/sdb": data}).boots_default
    verdict = boot(image, device="/dev/sda2", disks={"/dev/sda1": data})
    found = finding(verdict, "menu-not-found")
    assert "the menu is (hd1)/boot/grub/menu.lst" in found.message
    assert "must come first" in found.remedy


def test_the_root_of_another_layout(tmp_path: Path) -> None:
    """turnkeylinux/tracker 693, bootstrap-vz 101: `root (hd0)` on a partitioned disk."""
    found = finding(simulate("rules/root-mismatch", tmp_path), "root-device-mismatch")
    assert "is on (hd0,0)" in found.message and found.where == "(hd0,0)/boot/grub/menu.lst line 7"


def test_the_instance_stops_in_the_menu(tmp_path: Path) -> None:
    """NixOS/nixpkgs 19412."""
    verdict = simulate("rules/no-timeout", tmp_path)
    assert verdict.outcome is Outcome.MENU
    assert "below the first title" in finding(verdict, "no-timeout").message


def test_a_kernel_without_notes_and_a_fallback_without_a_kernel(tmp_path: Path) -> None:
    """AWS's troubleshooting page."""
    image = unpack("rules/not-linux", tmp_path)
    menu = tmp_path / "menu.lst"
    menu.write_text(
        "default 0\nfallback 1\ntimeout 0\nhiddenmenu\n"
        "title Linux\nroot (hd0)\nkernel /boot/vmlinuz-9.9 root=/dev/sda1 ro\n"
        "title Fallback\nroot (hd0)\nkernel /boot/vmlinuz.old root=/dev/sda1 ro\n"
    )
    run("debugfs", "-w", "-R", "rm /boot/grub/menu.lst", image)
    run("debugfs", "-w", "-R", f"write {menu} /boot/grub/menu.lst", image)
    verdict = boot(image)
    assert [(error.entry, error.number) for error in verdict.errors] == [(0, 9), (1, 15)]
    assert "Not 'btx' and 'freebsd'" in finding(verdict, "no-xen-notes").message
    assert "Error 15: File not found (kernel /boot/vmlinuz.old" in finding(verdict, "fallback-broken").message
    assert finding(verdict, "kernel-missing").where.endswith("line 10")


def test_freebsd_on_pv_grub(tmp_path: Path) -> None:
    """A blogger's attempt of 2010: neither the loader nor chain-loading is anything PV-GRUB can start."""
    found = finding(simulate("rules/not-a-kernel", tmp_path), "not-a-kernel")
    assert "neither a bzImage nor an ELF file" in found.message
    chained = simulate("menus/chain-win", tmp_path, **XEN)
    assert "chain-loads +1" in finding(chained, "not-a-kernel").message


def test_32_bit_instances_on_t1_micro(tmp_path: Path) -> None:
    """Ubuntu 10.04's time: 1.01 fails there, 1.02 does not."""
    verdict = simulate("rules/pae", tmp_path, aki="pv-grub-hd0-V1.01-i386.gz")
    assert "t1.micro" in finding(verdict, "aki-outdated").message


def test_only_the_handover_is_claimed(tmp_path: Path) -> None:
    """medic/cht-core 3173: the kernel died after PV-GRUB's part was done."""
    image = unpack("images/boots", tmp_path)
    text = run(sys.executable, "-m", "pvgrub_sim", "boot", image).decode()
    assert '"Handed over to the kernel" is all' in text
