"""The first disk of a machine is mended, and booted with all that belongs to the machine."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.cli import main
from tests.findings.test_rules import unpack
from tests.media.aws_server import AwsServer, aws, image_xml
from tests.media.machines import write_ova, write_xva
from tests.tools import run

MENU = """\
default 0
timeout 0
title A
root (hd1)
kernel /boot/{} root=LABEL=/ ro console=hvc0
initrd /boot/initrd.img
"""
PV_GRUB = "/usr/lib/xen/boot/pv-grub-x86_64.gz"
FIRST, SECOND = "snap-0123456789abcdef0", "snap-0123456789abcdef1"
AMI = "ami-0123456789abcdef0"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsServer]:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    with aws() as running:
        told = {"ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "SECRET_ACCESS_KEY": "x", "EC2_METADATA_DISABLED": "true",
                "CONFIG_FILE": "/nonexistent", "SHARED_CREDENTIALS_FILE": "/nonexistent", "REGION": "eu-west-1",
                "DEFAULT_REGION": "eu-west-1"}  # fmt: skip
        for service in ("EBS", "EC2"):
            told[f"ENDPOINT_URL_{service}"] = f"http://127.0.0.1:{running.server_port}"
        for name, value in told.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield running


def image(folder: Path, called: str, menu: str | None = None, source: str = "images/boots") -> Path:
    """An image of the fixtures under a name of its own, perhaps with another menu."""
    made = unpack(source, folder).rename(folder / called)
    if menu is not None:
        (folder / "menu").write_text(menu)
        words = f"rm /boot/grub/menu.lst\nwrite {folder / 'menu'} /boot/grub/menu.lst\n"
        run("debugfs", "-w", "-f", "-", made, stdin=words.encode())
    return made


def pair(folder: Path, kernel: str = "vmlinuz-x") -> tuple[Path, Path]:
    """Two disks: the menu of the first names the second's kernel, or one that is not there."""
    return image(folder, "one.img", MENU.format(kernel)), image(folder, "two.img")


def machine(form: str, folder: Path) -> Path:
    """A machine of that pair."""
    one, two = pair(folder)
    made = folder / f"machine.{form}"
    if form == "xva":
        write_xva(made, [("0", "Ref:20", one.read_bytes()), ("1", "Ref:21", two.read_bytes())])
    else:
        for disk in (one, two):
            run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", disk, f"{disk}.vmdk")
        write_ova(made, [(0, Path(f"{one}.vmdk")), (1, Path(f"{two}.vmdk"))])
    return made


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("form", ["ova", "xva"])
def test_the_menu_may_name_the_machines_other_disks(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = machine(form, tmp_path)
    opened = open_files()
    fixed = fix(made, "out.img")
    assert open_files() == opened
    assert fixed.mended and [step.rules for step in fixed.steps] == [("kernel-missing",)]
    out = unpack_menu("out.img")
    assert "root (hd1)" in out and "/boot/vmlinuz " in out
    assert boot("out.img", disks={"/dev/sdb": "two.img"}).boots_default
    assert [(one.device, one.origin) for one in fixed.disks] == [("/dev/xvda", "image"), ("/dev/xvdb", "machine")]
    assert main(["fix", str(made), "--dry-run"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "only the first disk is mended (/dev/xvda): its other disks (/dev/xvdb) stay as they are" in told
    assert main(["fix", str(made), "--in-place"]) == 2
    assert main(["fix", str(made), "--dry-run", "--format", "json"]) == 0
    disks = json.loads(capsys.readouterr().out)["disks"]
    assert disks[0] == {"device": "/dev/xvda", "image": str(made), "origin": "image"}
    assert disks[1]["device"] == "/dev/xvdb" and disks[1]["origin"] == "machine"


def unpack_menu(image: str) -> str:
    return run("debugfs", "-R", "cat /boot/grub/menu.lst", image).decode()


def test_what_comes_before_the_machines_disks_is_there_in_each_boot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_xva(tmp_path / "vm.xva", [("0", "Ref:20", image(tmp_path, "boots.img").read_bytes())])
    image(tmp_path, "today.img", source="images/ext4-today")
    assert main(["fix", "vm.xva", "--disk", "/dev/sdb=today.img", "-o", "out.img"]) == 1
    told = capsys.readouterr().out
    assert "failed: today.img is another disk" in told and "Not mended" in told
    assert not Path("out.img").exists()


def test_the_machines_config_file_is_the_copys(tmp_path: Path) -> None:
    demo = unpack("images/demo", tmp_path)
    words = "mkdir /x\ndump /boot/grub/menu.lst menu\nwrite menu /x/menu.lst\nrm /boot/grub/menu.lst\n"
    run("debugfs", "-w", "-f", "-", demo, stdin=words.encode())
    disks = [("0", "Ref:20", demo.read_bytes())]
    write_xva(tmp_path / "vm.xva", disks, PV_kernel=PV_GRUB, PV_args="(hd0)/x/menu.lst")
    fixed = fix("vm.xva", "out.img")
    assert fixed.mended and fixed.after.profile == fixed.before.profile
    assert fixed.config == fixed.after.config == "(hd0)/x/menu.lst"


def test_a_format_that_is_named_is_not_the_copys(tmp_path: Path) -> None:
    for disk in pair(tmp_path):
        run("qemu-img", "convert", "-O", "qcow2", disk, disk.with_suffix(".qcow2"))
    for options in ({}, {"image_format": "qcow2"}):
        fixed = fix("one.qcow2", disks={"/dev/sdb": "two.qcow2"}, **options)
        assert fixed.mended and [step.rules for step in fixed.steps] == [("kernel-missing",)]


def test_an_ami_is_booted_with_its_aki_and_snapshots(server: AwsServer, tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    server.snapshots = {FIRST: one, SECOND: two}
    devices = {"/dev/sda1": FIRST, "/dev/sdb": SECOND}
    server.images[AMI] = image_xml("/dev/sda1", devices, kernelId="aki-62695816")
    fixed = fix(f"ami:{AMI}", "out.img")
    assert fixed.mended and [step.rules for step in fixed.steps if step.ok] == [("kernel-missing",)]
    assert fixed.after.profile == fixed.before.profile and fixed.after.profile.aki == "aki-62695816"
    assert "root (hd1)" in unpack_menu("out.img")
    assert [(one.device, one.image) for one in fixed.disks[1:]] == [("/dev/sdb", f"ebs:{SECOND}")]


def test_what_is_wrong_on_an_amis_second_snapshot_is_not_mended_on_its_first(
    server: AwsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = image(tmp_path, "one.img", MENU.format("vmlinuz"))
    two = image(tmp_path, "two.img", source="images/ext4-today")
    server.snapshots = {FIRST: one, SECOND: two}
    devices = {"/dev/sda1": FIRST, "/dev/sdb": SECOND}
    server.images[AMI] = image_xml("/dev/sda1", devices, kernelId="aki-176bf516")
    status = main(["fix", f"ami:{AMI}", "-o", "out.img", "--only", "ext4-64bit", "--keep-partial"])
    told = capsys.readouterr().out
    assert status == 1 and f"failed: ebs:{SECOND} is another disk, which is not changed here" in told


def test_how_the_mended_ami_is_booted_is_shown(
    server: AwsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.snapshots = {FIRST: image(tmp_path, "one.img", source="rules/xfs-v5"), SECOND: image(tmp_path, "two.img")}
    devices = {"/dev/sda": FIRST, "/dev/sdf": SECOND}
    server.images[AMI] = image_xml("/dev/sda", devices, kernelId="aki-176bf516")
    assert main(["fix", f"ami:{AMI}", "-o", "out.img"]) == 0
    shown = capsys.readouterr().out
    (command,) = [line for line in shown.splitlines() if line.strip().startswith("pvgrub-sim boot")]
    assert "--device /dev/sda --disk /dev/sdg=out.img" in command and f"--disk /dev/sdf=ebs:{SECOND}" in command
    assert main([*shlex.split(command)[1:], "--quiet"]) == 0
    assert "'file:out.img.boot.img,xvda,r', 'file:out.img,xvdg,w'" in shown and "RootDeviceName (/dev/sda)" in shown
