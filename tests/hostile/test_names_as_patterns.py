"""Names that mean more to a tool than a name: patterns of mtools, and lines longer than debugfs takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.findings.remedies.commands import as_text
from pvgrub_sim.findings.remedies.steps import MakeLink, Target
from tests.findings.cases import FIXTURES
from tests.images import unpack_sparse
from tests.tools import require, run

MENU = "default 0\ntimeout 0\ntitle Linux\nroot (hd0)\nkernel /boot/[v]mlinuz root=LABEL=/ ro\n"


def in_shell(shell: str, script: str, folder: Path) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"))
    subprocess.run(
        [require(shell)], input=script.encode(), cwd=folder, env={**os.environ, "PATH": path}, capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_name_on_fat_is_no_pattern(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = str(unpack_sparse(FIXTURES / "rules/fat-zstd.img.zst", Path("disk.img")))
    Path("menu").write_text(MENU)
    Path("bystander").write_text("stays\n")
    run("mcopy", "-n", "-i", image, "::/boot/vmlinuz", "kernel")
    run("mcopy", "-i", image, "kernel", "::/boot/[v]mlinuz")
    run("mcopy", "-o", "-i", image, "menu", "::/boot/grub/menu.lst")
    run("mcopy", "-o", "-i", image, "bystander", "::/boot/vmlinuz")
    verdict = boot(image)
    assert "payload-unsupported" in [finding.rule for finding in verdict.findings]
    for finding in verdict.findings:
        in_shell(shell, finding.remedy, tmp_path)
    if verdict.plan is not None:
        in_shell(shell, verdict.plan.script, tmp_path)
    assert run("mtype", "-i", image, "::/boot/vmlinuz") == b"stays\n"


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_no_line_is_longer_than_debugfs_takes(shell: str, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("xb") as made:
        made.truncate(1 << 20)
    run("mke2fs", "-q", "-F", str(image))
    target = Target(image.name, 0, "(hd0)", "(hd0)", None, 0, 1 << 20, "ext2")
    begin = 'symlink /link "'
    for length in (4095, 8191):
        text = as_text((MakeLink(target, "/link", "x" * (length - len(begin)) + "!touch ran #"),))
        in_shell(shell, text, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [image.name]
