"""Public situations of several faults, built anew: what is said of them, and that `fix` makes them boot."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.findings.facts.release import release_key
from pvgrub_sim.model import Finding, Verdict
from tests.findings.cases import XEN
from tests.kernel_images import Elf, bzimage, linux_notes, payload
from tests.tools import run

UUID = "2b6a0e29-5a0e-4b6e-9d3a-6a1d0d1c0a01"
ARGUMENTS = f"root=UUID={UUID} ro quiet splash"


def kernel(version: str = "3.10.0-made", form: str = "gzip") -> bytes:
    return bzimage(payload(form, Elf().build()), version=0x20C, text=f"{version} #1".encode())


def ext3(image: Path, files: dict[str, bytes | str], *, size: str = "8M", links: dict[str, str] | None = None) -> Path:
    tree = image.with_suffix(".tree")
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data.encode() if isinstance(data, str) else data)
    for name, to in (links or {}).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(to)
    tree.mkdir(exist_ok=True)
    run("mke2fs", "-q", "-F", "-t", "ext3", "-O", "^resize_inode", "-U", UUID, "-d", tree, image, size)
    return image


def finding(verdict: Verdict, rule: str) -> Finding:
    (found,) = [one for one in verdict.findings if one.rule == rule] or [None]
    assert found, [one.rule for one in verdict.findings]
    return found


def menu_of(image: Path, path: str = "/boot/grub/menu.lst") -> list[str]:
    return run("debugfs", "-R", f"cat {path}", image).decode().splitlines()


UBUNTU = f"""title\t\tUbuntu 10.04 LTS, kernel 2.6.32-21-server
uuid\t\t{UUID}
kernel\t\t/boot/vmlinuz-2.6.32-21-server {ARGUMENTS}
initrd\t\t/boot/initrd.img-2.6.32-21-server
quiet
"""
CORE = {
    "boot/vmlinuz-2.6.32-21-server": kernel(),
    "boot/initrd.img-2.6.32-21-server": b"initrd",
    "boot/grub/core.img": b"\xea\x1c\x82\0\0" + random.Random(4).randbytes(24000),
}


@pytest.mark.parametrize("root", ["root", "uuid"])
def test_an_entry_that_chain_loads_grub_2_gives_way_to_the_one_behind_it(root: str, tmp_path: Path) -> None:
    """grub-pc's "Chainload into GRUB 2" (Ubuntu's forums, 2009 to 2012), with Ubuntu's `uuid` for `root`."""
    chain = "default\t\t0\ntimeout\t\t10\n\ntitle\t\tChainload into GRUB 2\n"
    chain += f"{root}\t\t{UUID}\nkernel\t\t/boot/grub/core.img\n\n"
    image = ext3(tmp_path / "a.img", {**CORE, "boot/grub/menu.lst": chain + UBUNTU})
    verdict = boot(image, pvgrub="amazon-1.03")
    errors = [one.rule for one in verdict.findings if one.severity == "error"]
    assert errors == ["not-a-kernel"] and "core.img" in finding(verdict, "not-a-kernel").message
    assert fix(image, tmp_path / "out.img", pvgrub="amazon-1.03").mended
    after = boot(tmp_path / "out.img", pvgrub="amazon-1.03")
    assert after.boots_default and after.entry == 1 and after.initrd is not None
    assert (after.cmdline or "").startswith(ARGUMENTS)
    lines = menu_of(tmp_path / "out.img")
    assert "default 1" in lines and "kernel\t\t/boot/grub/core.img" in lines, "the chain-loading entry stays"


def test_a_uuid_line_is_one_cause_and_one_finding(tmp_path: Path) -> None:
    image = ext3(tmp_path / "a.img", {**CORE, "boot/grub/menu.lst": f"timeout 0\n{UBUNTU}"})
    verdict = boot(image)
    assert [one.rule for one in verdict.findings if one.severity == "error"] == ["unknown-command-in-entry"]
    assert "no commands 'uuid', 'quiet'" in finding(verdict, "unknown-command-in-entry").message
    assert fix(image, tmp_path / "out.img").mended
    assert menu_of(tmp_path / "out.img").count("root (hd0)") == 1


def test_grub_2s_words_become_grub_legacys(tmp_path: Path) -> None:
    text = "timeout 0\ntitle x\nset root='hd0,msdos1'\nlinux /boot/vmlinuz root=LABEL=x ro\ninitrd /boot/initrd\n"
    image = ext3(tmp_path / "a.img", {"boot/vmlinuz": kernel(), "boot/initrd": b"i", "boot/grub/menu.lst": text})
    found = finding(boot(image), "unknown-command-in-entry")
    assert "without a root device and a kernel" in found.message
    assert fix(image, tmp_path / "out.img").mended
    assert {"root (hd0)", "kernel /boot/vmlinuz root=LABEL=x ro"} <= {
        line.removesuffix(" console=hvc0") for line in menu_of(tmp_path / "out.img")
    }


ILLUMOS = """default 0
timeout 3
title omnios
findroot (pool_syspool,0,a)
bootfs syspool/ROOT/omnios
kernel$ /platform/i86pc/kernel/$ISADIR/unix -B $ZFS-BOOTFS
module$ /platform/i86pc/$ISADIR/boot_archive
"""


def test_illumos_commands_are_named(tmp_path: Path) -> None:
    """omniosorg, "Creating an EC2 AMI": no line of the entry is one of PV-GRUB's."""
    image = ext3(tmp_path / "a.img", {"boot/grub/menu.lst": ILLUMOS})
    found = finding(boot(image), "menu-without-entries")
    assert "'findroot', 'bootfs', 'kernel$', 'module$'" in found.message and "illumos" in found.message
    assert "pv-grub of its own" in found.remedy and "first bytes" not in found.evidence


def test_an_entry_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    text = f"{ILLUMOS}title Linux\nroot (hd0)\nkernel /boot/gone root=LABEL=x\n"
    image = ext3(tmp_path / "a.img", {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": text})
    assert "drops the entry 'omnios'" in finding(boot(image), "unknown-command-in-entry").message


def test_a_kernel_without_a_menu_on_another_disk_is_mentioned(tmp_path: Path) -> None:
    """A Linode after Anaconda (sysadminsjourney.com, 2010): the first disk is empty, the kernel elsewhere."""
    first = ext3(tmp_path / "a.img", {})
    other = ext3(tmp_path / "h.img", {"vmlinuz": kernel(), "initrd.img": b"initrd"})
    found = finding(boot(first, device="/dev/xvda", disks={"/dev/xvdh": other}, **XEN), "menu-not-found")
    assert "no menu names the kernel (hd1)/vmlinuz" in found.message
    assert "root (hd1)" in found.remedy and "kernel /vmlinuz" in found.remedy


def test_a_menu_for_a_kernel_on_another_disk_is_written_where_it_is_looked_for(tmp_path: Path) -> None:
    system = {"vmlinuz": kernel(), "initrd.img": b"i", "etc/fstab": f"UUID={UUID} / ext3 rw 0 1\n", "sbin/init": "x"}
    first = ext3(tmp_path / "a.img", {})
    run("tune2fs", "-U", "clear", first)
    options = {"device": "/dev/xvda", "disks": {"/dev/xvdh": ext3(tmp_path / "h.img", system)}, **XEN}
    assert fix(first, tmp_path / "out.img", **options).mended
    after = boot(tmp_path / "out.img", **options)
    assert after.boots_default and after.cmdline == f"root=UUID={UUID} ro console=hvc0"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_dangling_link_in_the_way_of_a_new_menu(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.findings.test_rules import paste

    monkeypatch.chdir(tmp_path)
    files: dict[str, bytes | str] = {
        "boot/vmlinuz": kernel(), "etc/fstab": f"UUID={UUID} / ext3 rw 0 1\n", "sbin/init": "x",
        "boot/grub2/grub.cfg": f"linux /boot/vmlinuz {ARGUMENTS}\n",
    }  # fmt: skip
    link = {"file": {"boot/grub/menu.lst": "grub.conf"}, "folder": {"boot/grub": "/usr/lib/gone"}}[what]
    image = ext3(Path("a.img"), files, links=link)
    verdict = boot(image)
    assert verdict.plan is not None and verdict.plan.proven
    assert fix(image, "out.img").mended and boot("out.img").boots_default
    paste(verdict.plan.script, tmp_path)
    assert boot(image).boots_default
    run("e2fsck", "-fn", image)


def test_a_broken_fallback_is_not_said_of_one_behind_a_splashimage(tmp_path: Path) -> None:
    """The head's splashimage chooses a terminal that PV-GRUB leaves before any entry runs."""
    entry = "title x\nroot (hd0)\nkernel /boot/{} root=LABEL=x console=hvc0\n"
    head = "default 0\nfallback 1\nsplashimage=(hd0)/boot/grub/splash.xpm.gz\ntimeout 0\n"
    text = head + entry.format("vmlinuz") + entry.format("vmlinuz")
    assert "fallback-broken" not in {one.rule for one in boot(
        ext3(tmp_path / "a.img", {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": text})
    ).findings}  # fmt: skip


def test_the_newest_kernel_is_that_of_the_highest_release(tmp_path: Path) -> None:
    """Not the last by name, and not the one for a bad day."""
    names = ["4.9.0-8-amd64", "4.18.0-372.el8.x86_64", "0-rescue-99aa", "4.18.0-80.el8.x86_64", "9.9.old"]
    files: dict[str, bytes | str] = {f"boot/vmlinuz-{name}": kernel() for name in names}
    files |= {f"boot/initrd.img-{name}": b"i" for name in names}
    files |= {"boot/grub/grub.cfg": f"linux /boot/vmlinuz {ARGUMENTS} console=tty0 console=ttyS0,115200n8\n"}
    image = ext3(tmp_path / "a.img", files)
    assert fix(image, tmp_path / "out.img").mended
    after = boot(tmp_path / "out.img")
    assert after.kernel is not None and after.kernel.path == "/boot/vmlinuz-4.18.0-372.el8.x86_64"
    assert after.initrd is not None and after.initrd.path == "/boot/initrd.img-4.18.0-372.el8.x86_64"
    assert after.cmdline == f"{ARGUMENTS} console=tty0 console=hvc0", "the serial port of other machines goes"


def test_releases_follow_each_other_as_rpm_and_dpkg_have_them() -> None:
    releases = [
        "2.6.18-164.el5xen", "2.6.32-21-server", "2.6.32-573.el6.x86_64", "2.6.32-696.18.7.el6.x86_64", "3.2",
        "3.2.0-4-amd64", "4.9.0-8-amd64", "4.18.0-80.el8.x86_64", "4.18.0-372.el8.x86_64", "6.1.0-rc5", "6.1.0",
        "6.1.0-9-amd64", "6.1.0-18-amd64",
    ]  # fmt: skip
    shuffled = releases[:]
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=release_key) == releases


@pytest.mark.parametrize("version", ["amazon-1.01", "xen-4.1"])
def test_extents_under_a_version_that_reads_none(version: str, tmp_path: Path) -> None:
    """Slackware 13.1 on EC2 (Ubuntu's forums, January 2011): ext4 under 1.01, and nothing has a hole."""
    tree = tmp_path / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(kernel())
    (tree / "boot/grub/menu.lst").write_text("timeout 0\ntitle x\nroot (hd0)\nkernel /boot/vmlinuz root=LABEL=x\n")
    image = tmp_path / "disk.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^64bit,^metadata_csum", "-d", tree, image, "16M")
    options = {"pvgrub": version, "device": "/dev/sda"} | ({"config": XEN["config"]} if "xen" in version else {})
    found = finding(boot(image, **options), "ext4-extents")
    assert "reads block maps only" in found.message and ("1.03" in found.remedy or "4.2" in found.remedy)
    assert fix(image, tmp_path / "out.img", **options).mended
    pair = {**options, "disks": {"/dev/sdf": tmp_path / "out.img"}}
    assert boot(tmp_path / "out.img.boot.img", **pair).boots_default


def console_finding(folder: Path, name: str, image: bytes, arguments: str = "") -> Finding | None:
    text = f"timeout 0\ntitle x\nroot (hd0)\nkernel /boot/{name} root=LABEL=x {arguments}\n"
    verdict = boot(ext3(folder / "a.img", {f"boot/{name}": image, "boot/grub/menu.lst": text}))
    assert verdict.boots_default
    return next((one for one in verdict.findings if one.rule == "no-console-hvc0"), None)


@pytest.mark.parametrize("system", [b"GRUB", b"Mini-OS", b"NetBSD", b"FreeBSD"])
def test_a_kernel_that_is_no_linux_is_told_no_console(system: bytes, tmp_path: Path) -> None:
    other = Elf(notes=linux_notes(GUEST_OS=system + b"\0")).build()
    assert console_finding(tmp_path, "kernel", other, "console=com0") is None


@pytest.mark.parametrize(
    ("name", "version", "arguments", "told"),
    [
        ("vmlinuz-2.6.18-164.el5xen", "2.6.18-164.el5xen", "", "console=xvc0"),
        ("vmlinuz-2.6.26-2-xen-amd64", "2.6.26-2-xen-amd64", "console=tty0", "console=xvc0"),
        ("vmlinuz-2.6.18-164.el5xen", "2.6.18-164.el5xen", "console=xvc0", None),
        ("vmlinuz-2.6.32-5-xen-amd64", "2.6.32-5-xen-amd64", "", "console=hvc0"),
        ("vmlinuz-2.6.32-5-xen-amd64", "2.6.32-5-xen-amd64", "console=hvc0", None),
        ("vmlinuz-2.6.18-164.el5", "2.6.18-164.el5", "console=ttyS0", "console=hvc0"),
    ],
)
def test_the_console_is_that_of_the_kernels_tree(
    name: str, version: str, arguments: str, told: str | None, tmp_path: Path
) -> None:
    found = console_finding(tmp_path, name, kernel(version), arguments)
    assert (found is None) if told is None else (found is not None and f" {told}" in found.remedy)


@pytest.mark.parametrize("path", ["/vmlinuz", "/boot/VMLINUZ", "/boot/gone"])
@pytest.mark.parametrize("device", ["(hd0,0)", "(hd1)", "(hd0,3)"])
def test_a_device_and_a_path_that_are_both_wrong(device: str, path: str, tmp_path: Path) -> None:
    """A device that does not exist hides that the file has another name, too: both are in one plan."""
    text = f"timeout 0\ntitle x\nroot {device}\nkernel {path} root=LABEL=x console=hvc0\n"
    image = ext3(tmp_path / "a.img", {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": text})
    verdict = boot(image)
    assert "the volume with boot files is (hd0)" in finding(verdict, "root-device-mismatch").message
    assert verdict.plan is not None and verdict.plan.proven
    assert fix(image, tmp_path / "out.img").mended
