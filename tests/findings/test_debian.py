"""Debian's own kernel in images as people make them: what is told, pasted and booted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pvgrub_sim.model import Outcome
from pvgrub_sim.verdict import boot
from tests.debian_kernels import debian_kernel
from tests.findings.test_rules import paste
from tests.tools import run

MENU = """default=0
timeout=0
title Debian
\troot\t\t(hd0)
\tkernel\t\t/boot/vmlinuz-6.1 root=LABEL=root ro console=hvc0
\tinitrd\t\t/boot/initrd.img-6.1
"""


def make(folder: Path, package: str, *options: str) -> Path:
    boot_folder = folder / "tree" / "boot"
    (boot_folder / "grub").mkdir(parents=True)
    (boot_folder / "grub" / "menu.lst").write_text(MENU)
    (boot_folder / "vmlinuz-6.1").write_bytes(debian_kernel(package).read_bytes())
    (boot_folder / "initrd.img-6.1").write_bytes(os.urandom(100_000) + bytes(20_000) + b"the end")
    image = folder / "disk.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", *options, "-d", folder / "tree", image, "96M")
    return image


@pytest.mark.parametrize(
    ("package", "options", "rules"),
    [
        ("linux-image-amd64", ("-O", "^64bit", "-b", "1024"), ["ext4-holes"]),
        ("linux-image-amd64", ("-O", "64bit", "-b", "1024"), ["ext4-64bit"]),
        ("linux-image-cloud-amd64", ("-O", "64bit", "-b", "4096"), ["ext4-64bit", "payload-unsupported"]),
    ],
)
def test_pasted_until_it_boots(
    package: str, options: tuple[str, ...], rules: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = make(tmp_path, package, *options).name
    verdict = boot(image)
    assert sorted({one.rule for one in verdict.findings if one.severity == "error"}) == rules
    # What one cure uncovers, the next one mends.
    for _ in range(3):
        errors = [one for one in verdict.findings if one.severity == "error"]
        for finding in errors:
            paste(finding.remedy, tmp_path)
        verdict = boot(image)
        if not [one for one in verdict.findings if one.rule != "fallback-missing"]:
            break
    assert verdict.outcome is Outcome.BOOTS, verdict.console
    assert not verdict.findings
