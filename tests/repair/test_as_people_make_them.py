"""Images made with today's mkfs and sfdisk as people make them: the plan's script and `fix` do what they promise."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from tests.findings.test_field_cases import UUID, kernel
from tests.findings.test_rules import paste
from tests.tools import run

MIB = 1 << 20
GRUB_CFG = (
    f"menuentry x {{\n linux /boot/vmlinuz-6.1 root=UUID={UUID} ro console=ttyS0\n initrd /boot/initrd.img-6.1\n}}\n"
)
SYSTEM = {"etc/fstab": f"UUID={UUID} / ext4 rw 0 1\n", "sbin/init": "x"}
SDA = {"device": "/dev/sda"}


def tree(folder: Path, files: dict[str, bytes | str]) -> Path:
    home = folder / "tree"
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return home


def debian(form: str = "gzip") -> dict[str, bytes | str]:
    """A Debian without a menu for GRUB legacy, and with a hole in the kernel, as `mke2fs -d` makes one of its zeros."""
    return {
        **SYSTEM, "boot/vmlinuz-6.1": kernel("6.1.0-18-amd64", form), "boot/initrd.img-6.1": b"initrd",
        "boot/grub/grub.cfg": GRUB_CFG,
    }  # fmt: skip


def in_partition(image: Path, volume: Path, size: int, *, start: int = 2048, table: str = "") -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    run("sfdisk", "-q", image, stdin=(table or "label: dos\nstart=2048,type=83\n").encode())
    with image.open("r+b") as file:
        file.seek(start * 512)
        file.write(volume.read_bytes())
    return image


def promised_and_kept(image: str, first: str = "", **options: object) -> None:
    """The plan is proven; its script makes the default entry boot, and so does `fix`."""
    verdict = boot(image, **options)  # type: ignore[arg-type]  # options by name
    assert verdict.plan is not None and verdict.plan.proven, verdict.plan
    fixed = fix(image, "out.img", **options)  # type: ignore[arg-type]  # options by name
    assert fixed.mended and all(step.ok for step in fixed.steps)
    assert len(fixed.steps) <= len(verdict.plan.steps), "nothing is found that the plan did not know of"
    paste(verdict.plan.script, Path.cwd())
    disks = {"disks": {"/dev/sdf": image}} if first else {}
    assert boot(first or image, **options, **disks).boots_default  # type: ignore[arg-type]  # options by name


@pytest.mark.parametrize("form", ["gzip", "zstd"])
@pytest.mark.parametrize("partitioned", [False, True])
def test_todays_ext4_with_a_hole_in_its_kernel(
    partitioned: bool, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64bit hides the hole: what PV-GRUB reads without it is asked of its own driver."""
    monkeypatch.chdir(tmp_path)
    volume = tmp_path / "v.img"
    run("mkfs.ext4", "-q", "-U", UUID, "-d", tree(tmp_path, debian(form)), volume, "12M")
    image = in_partition(tmp_path / "a.img", volume, 14 * MIB) if partitioned else volume
    promised_and_kept(image.name, **SDA)
    done = subprocess.run(["e2fsck", "-fn", f"{image}?offset={MIB}" if partitioned else image], check=False)
    assert done.returncode == 0


def test_many_files_in_a_folder_are_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = debian() | {f"boot/grub/a-module-of-grub-{number}.mod": b"" for number in range(600)}
    run("mkfs.ext4", "-q", "-b", "1024", "-U", UUID, "-d", tree(tmp_path, files), "a.img", "12M")
    assert "filesystem-damaged" not in {one.rule for one in boot("a.img").findings}
    promised_and_kept("a.img")


def test_an_upper_case_name_on_fat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mtools write VMLINUZ as a short name alone, which PV-GRUB knows as vmlinuz, before and after a repack."""
    monkeypatch.chdir(tmp_path)
    menu = "timeout 0\ntitle x\nroot (hd0,0)\nkernel /VMLINUZ root=LABEL=x console=hvc0\n"
    home = tree(tmp_path, {"VMLINUZ": kernel(form="zstd"), "boot/grub/menu.lst": menu})
    Path("f.img").write_bytes(bytes(8 * MIB))
    run("mkfs.vfat", "-F", "12", "f.img")
    run("mcopy", "-s", "-i", "f.img", home / "VMLINUZ", home / "boot", "::")
    in_partition(tmp_path / "a.img", Path("f.img"), 10 * MIB)
    promised_and_kept("a.img", **SDA)


def test_a_btrfs_root_beside_a_boot_partition_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fedora Cloud: /boot on ext4 with BLS snippets, the root on btrfs."""
    monkeypatch.chdir(tmp_path)
    other = "99999999-2222-3333-4444-555555555555"
    snippet = f"linux /vmlinuz-6.5\ninitrd /initramfs-6.5.img\noptions root=UUID={other} ro rootflags=subvol=root\n"
    files = {
        "vmlinuz-6.5": kernel(),
        "initramfs-6.5.img": b"i",
        "loader/entries/a.conf": snippet,
        "grub2/grub.cfg": "x\n",
    }
    run("mkfs.ext4", "-q", "-L", "boot", "-d", tree(tmp_path, files), "v.img", "8M")
    with Path("b.img").open("wb") as file:
        file.truncate(120 * MIB)
    run("mkfs.btrfs", "-q", "-U", other, "b.img")
    table = "label: dos\nstart=2048,size=16384,type=83\nstart=18432,type=83\n"
    image = in_partition(tmp_path / "a.img", Path("v.img"), 140 * MIB, table=table)
    with image.open("r+b") as file, Path("b.img").open("rb") as btrfs:
        file.seek(18432 * 512)
        file.write(btrfs.read(16 * MIB))
        file.seek(18432 * 512 + 64 * MIB)
        btrfs.seek(64 * MIB)
        file.write(btrfs.read(1 * MIB))
    assert "filesystem-unreadable" not in {one.rule for one in boot(image.name, **SDA).findings}
    fixed = fix(image.name, "out.img", **SDA)
    assert fixed.mended and fixed.after.cmdline == f"root=UUID={other} ro rootflags=subvol=root console=hvc0"


def test_a_boot_disk_has_room_for_a_kernel_that_is_packed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XFS 5 with a zstd kernel: two steps, and the second works on the disk that the first one makes."""
    from tests.findings.test_rules import unpack

    monkeypatch.chdir(tmp_path)
    unpack("rules/xfs-v5", tmp_path)
    verdict = boot("disk.img", pvgrub="amazon-1.05")
    assert verdict.plan is not None and verdict.plan.proven
    promised_and_kept("disk.img", "boot.img", **SDA)


def test_a_logical_partition_is_not_promised_an_aki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No version of Amazon's looks for a menu behind the fourth partition."""
    monkeypatch.chdir(tmp_path)
    run("mkfs.ext4", "-q", "-O", "^64bit", "-U", UUID, "-d", tree(tmp_path, debian()), "v.img", "8M")
    table = "label: dos\nstart=2048,size=8192,type=83\nstart=10240,type=5\nstart=12288,size=16384,type=83\n"
    in_partition(tmp_path / "a.img", Path("v.img"), 20 * MIB, start=12288, table=table)
    (found,) = [one for one in boot("a.img", **SDA).findings if one.rule == "grub2-only"]
    assert "one of the first four partitions" in found.remedy and "1.04" not in found.remedy


def test_a_hole_and_a_payload_are_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is written once, and its original is kept once."""
    monkeypatch.chdir(tmp_path)
    files = debian("zstd") | {"boot/grub/menu.lst": "timeout 0\ntitle x\nroot (hd0)\nkernel /boot/vmlinuz-6.1 ro\n"}
    run("mkfs.ext4", "-q", "-O", "^64bit", "-U", UUID, "-d", tree(tmp_path, files), "a.img", "8M")
    rules = [step.rules for step in boot("a.img").plan.steps]  # type: ignore[union-attr]  # it has one
    assert sum("payload-unsupported" in one for one in rules) == 1
    assert sum("ext4-holes" in one for one in rules) <= 1
    promised_and_kept("a.img")
    assert run("debugfs", "-R", "ls /boot", "a.img").count(b"vmlinuz-6.1.orig") == 1
    run("e2fsck", "-fn", "a.img")


PACKED = [("(hd0)", "extent", "1.02"), ("(hd0,0)", "inline_data", "1.05")]


@pytest.mark.parametrize(("root", "feature", "version"), PACKED)
def test_a_packed_menu_goes_to_the_boot_disk_with_its_kernel(
    root: str, feature: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PV-GRUB gunzips menus: what one names is known although PV-GRUB could not open it."""
    monkeypatch.chdir(tmp_path)
    menu = f"timeout 0\ntitle x\nroot {root}\nkernel /boot/vmlinuz-6.1 ro\ninitrd /boot/initrd.img-6.1\n"
    files = debian() | {"boot/grub/menu.lst": gzip.compress(menu.encode(), mtime=0)}
    run("mkfs.ext4", "-q", "-O", f"^64bit,{feature}", "-U", UUID, "-d", tree(tmp_path, files), "v.img", "8M")
    Path("v.img").rename("a.img") if root == "(hd0)" else in_partition(Path("a.img"), Path("v.img"), 10 * MIB)
    promised_and_kept("a.img", "boot.img", pvgrub=f"amazon-{version}", **SDA)
