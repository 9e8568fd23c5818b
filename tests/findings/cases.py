"""For each rule the images that trigger it, with what the remedy leads to, and one that comes near and does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Hit:
    """An image that triggers a rule.

    image: `rules/NAME`, `images/NAME` or `disks/NAME` of the recorded cases. options: of boot(). severity: that the
    finding has here. cured: options of the boot after the remedy, which must end in `boots`; None where the remedy
    is advice or about AWS, and nothing is run. boots_from: the image that boots then (`disk.img` or `boot.img`).
    stays: the finding is still there afterwards, because the cure is another PV-GRUB or AMI.
    """

    image: str
    severity: str = "error"
    options: dict[str, Any] = field(default_factory=dict)
    cured: dict[str, Any] | None = None
    boots_from: str = "disk.img"
    stays: bool = False


def hit(image: str, severity: str = "error", *, cured: bool | dict[str, Any] = True, boots_from: str = "disk.img",
        stays: bool = False, **options: Any) -> Hit:  # fmt: skip
    after = None if cured is False else options if cured is True else cured
    return Hit(image, severity, options, after, boots_from, stays)


XEN = {"pvgrub": "xen-4.17", "arch": "x86_64", "config": "(hd0)/boot/grub/menu.lst"}
XEN_PART = {**XEN, "config": "(hd0,0)/boot/grub/menu.lst"}
BOOTS = str(FIXTURES / "images/boots.img.zst")
HD00_103 = "pv-grub-hd00-V1.03-x86_64.gz"
SAMPLE = {
    "ImageId": "ami-983231f6", "Name": "ImageLive", "ImageType": "machine", "KernelId": "aki-176bf516",
    "VirtualizationType": "paravirtual", "Architecture": "x86_64", "RootDeviceName": "/dev/sda1",
}  # fmt: skip
"""As `aws ec2 describe-images` prints it."""
NITRO = {"SupportedInstanceTypes": [{"InstanceType": "m5.*"}, {"InstanceType": "c5.large"}]}
MIXED = {"SupportedInstanceTypes": [{"InstanceType": "m*.large"}]}
"""AMIs' lists of allowed instance types; of the second one m1.large and m3.large run paravirtual images."""

HITS: dict[str, tuple[Hit, ...]] = {
    "ext4-64bit": (
        hit("images/ext4-today"),
        hit("rules/ext4-today-partition"),
        hit("rules/ext4-today-larger"),
    ),
    "ext4-holes": (hit("rules/ext4-holes"),),
    "ext4-extents": (hit("rules/ext4-csum", boots_from="boot.img", pvgrub="amazon-1.02"),),
    "ext4-unwritten": (hit("rules/ext4-unwritten", "warning"),),
    "ext4-feature-unknown": (hit("rules/ext4-inline", boots_from="boot.img"),),
    "xfs-v5": (hit("rules/xfs-v5", boots_from="boot.img"), hit("rules/xfs-v5-partition", boots_from="boot.img")),
    "xfs-ftype": (hit("rules/xfs-ftype", boots_from="boot.img"),),
    "xfs-holes": (hit("disks/xfs-v4-holelead", "warning", cured=False, **XEN),),
    "journal-needs-recovery": (
        hit("rules/needs-recovery", "warning"),
        hit("disks/ext3-dirty", "warning", **XEN),
        hit("disks/ext4-dirty", "warning", **XEN),
        hit("disks/ext4-update-dirty", "warning", **XEN),
        hit("disks/jfs-dirty", "warning", cured=False, **XEN),
        hit("disks/xfs-v4-dirty", "warning", cured=False, **XEN),
        hit("disks/reiserfs-36-dirty", "warning", cured=False, **XEN),
    ),
    "partition-type-hides-filesystem": (hit("rules/type-82"),),
    "fat-on-gpt": (hit("rules/fat-on-gpt", device="/dev/sda"),),
    "gpt-before-1.04": (hit("rules/gpt", aki=HD00_103),),
    "lvm-needs-boot-partition": (hit("rules/lvm", cured=False),),
    "raid-or-encrypted": (hit("rules/luks", cured=False, image_format="raw"),),
    "filesystem-unreadable": (
        hit("rules/btrfs", boots_from="boot.img"),
        hit("rules/btrfs-partition", boots_from="boot.img"),
    ),
    "filesystem-damaged": (hit("rules/damaged", "warning"),),
    "menu-not-found": (
        hit("rules/boot-partition", aki=HD00_103),
        hit("rules/grub-conf"),
        hit("rules/menu-at-grub"),
        hit("images/mbr-primary", aki="pv-grub-hd0-V1.03-x86_64.gz", cured={"pvgrub": "amazon-1.05"}, stays=True),
    ),
    "menu-on-another-disk": (
        hit("rules/gpt", "warning", cured=False, device="/dev/sda", disks={"/dev/sdb": BOOTS}, **XEN_PART),
        hit("images/demo", "note", cured=False, device="/dev/sda", disks={"/dev/sdb": BOOTS}),
    ),
    "menu-without-entries": (hit("rules/menu-is-grub-cfg"), hit("menus/hdr-unhide-hd1", **XEN)),
    "grub2-only": (hit("rules/grub2-only"), hit("rules/fat-grub2")),
    "root-device-mismatch": (hit("rules/root-mismatch"), hit("rules/no-root"), hit("rules/other-device-in-path")),
    "no-timeout": (hit("rules/no-timeout"), hit("rules/packed-menu")),
    "default-out-of-range": (hit("rules/default-beyond", "warning"),),
    "fallback-missing": (hit("rules/fallback-missing", "warning"),),
    "fallback-broken": (hit("rules/fallback-broken", "warning"),),
    "unknown-command-in-entry": (hit("rules/unknown-command"), hit("rules/misplaced-command")),
    "entry-fails": (hit("rules/bad-argument", cured=False),),
    "entry-starts-nothing": (hit("rules/starts-nothing"),),
    "no-console-hvc0": (hit("rules/no-console", "warning"),),
    "root-argument-mismatch": (hit("rules/wrong-root-argument", "warning"),),
    "case-or-space-in-path": (
        hit("rules/wrong-case"),
        hit("rules/blank-in-name"),
        hit("rules/quoted"),
        hit("rules/dos-menu"),
    ),
    "symlink-depth": (hit("rules/many-links"),),
    "file-too-large": (hit("rules/huge-initrd", "warning", cured=False),),
    "kernel-missing": (hit("images/demo"), hit("rules/kernel-near")),
    "initrd-missing": (hit("rules/initrd-gone"),),
    "payload-unsupported": (
        hit("images/ext4-zstd"),
        hit("rules/fat-zstd"),
        hit("rules/xz-kernel", pvgrub="amazon-1.03"),
    ),
    "no-xen-notes": (hit("rules/no-notes"), hit("rules/not-linux")),
    "pvh-only": (hit("rules/pvh-alone"), hit("rules/pvh-taken", "warning")),
    "pae-missing": (hit("rules/no-pae", arch="i386"),),
    "boot-protocol-too-old": (hit("rules/old-protocol"),),
    "not-a-kernel": (hit("rules/not-a-kernel"),),
    "kernel-refused": (hit("rules/truncated-kernel"), hit("rules/no-section-names")),
    "loader-inferred": (hit("rules/no-section-names", "note", cured=False), hit("rules/no-pae", "note", cured=False)),
    "kernel-config-without-xen": (hit("rules/config-without-xen"),),
    "arch-mismatch": (
        hit("rules/pae", arch="x86_64", cured={"arch": "i386"}, stays=True),
        hit("images/boots", "warning", cured=False, ami={**SAMPLE, "Architecture": "i386"}),
    ),
    "ari-with-pvgrub": (hit("images/boots", cured=False, ami={**SAMPLE, "RamdiskId": "ari-12345678"}),),
    "hvm-needs-no-pvgrub": (hit("images/boots", "warning", cured=False, ami={**SAMPLE, "VirtualizationType": "hvm"}),),
    "filesystem-untested": (hit("rules/fat", "warning", cured=False),),
    "aki-outdated": (
        hit("images/boots", "warning", cured=False, aki="aki-176bf516"),
        hit("rules/xz-kernel", cured=False, pvgrub="amazon-1.03"),
    ),
    "aki-not-pvgrub": (hit("images/boots", "warning", cured=False, ami={**SAMPLE, "KernelId": "aki-00000000"}),),
    "disks-attached-otherwise": (
        hit("images/boots", "note", cured=False, device="/dev/xvdz", disks={"/dev/sda": BOOTS}),
        hit("images/demo", "note", cured=False, disks={"/dev/sda": BOOTS}),
    ),
    "instance-type-without-pv": (
        hit("images/boots", cured=False, instance_type="t2.micro"),
        hit("images/boots", cured=False, ami={**SAMPLE, "InstanceTypeSpecification": NITRO}),
        hit("images/boots", "note", cured=False, instance_type="m99.large"),
    ),
    "instance-type-architecture": (
        hit("rules/pae", cured=False, arch="i386", instance_type="m1.large"),
        hit("images/boots", cured=False, ami={**SAMPLE, "Architecture": "i386"}, instance_type="m3.medium"),
    ),
    "domain-memory-too-small": (
        hit("rules/large-initrd", cured=False, memory=16),
        hit("rules/large-initrd", cured=False, memory=96),
    ),
    "fstab-device-missing": (hit("rules/fstab-lost", "note", cured=False),),
    "console-without-getty": (hit("rules/inittab-without", "note", cured=False, **XEN),),
    "second-boot-loader": (hit("rules/grub2-for-xen", "warning", cured=False),),
    "newer-kernel-not-in-menu": (hit("rules/newer-kernel", "note", cured=False),),
    "kernel-known-trouble": (hit("rules/known-trouble", "warning", cured=False),),
    "root-device-name": (hit("rules/root-virtio", "warning"), hit("rules/root-xvda1", "warning", device="/dev/sdb")),
    "initrd-unreadable": (hit("rules/initrd-cut", "warning", cured=False),),
    "initrd-not-for-this-kernel": (hit("rules/initrd-other-kernel", "warning"),),
    "initrd-without-block-front-end": (
        hit("rules/initrd-not-named", "warning"),
        hit("rules/initrd-without-driver", "warning", cured=False),
    ),
    "pvgrub-crash": (hit("disks/ext2-bad-inodesize0", cured=False, **XEN),),
    "pvgrub-hang": (hit("disks/ext2-bad-reclen0", cured=False, **XEN),),
    "undefined-behaviour": (hit("menus/savedefault-file", "warning", cured=False, **XEN),),
}

MISSES: dict[str, tuple[str, dict[str, Any]]] = {
    "ext4-holes": ("rules/ext3-holes", {}),
    "ext4-feature-unknown": ("rules/ext4-csum", {}),
    "ext4-extents": ("rules/ext4-csum", {"pvgrub": "amazon-1.03"}),
    "fat-on-gpt": ("rules/gpt", {"pvgrub": "amazon-1.05"}),
    "menu-on-another-disk": ("images/boots", {"device": "/dev/sda", "disks": {"/dev/sdb": BOOTS}}),
    "disks-attached-otherwise": ("images/boots", {"device": "/dev/sda", "disks": {"/dev/sdb": BOOTS}}),
    "xfs-v5": ("rules/xfs-v4", {}),
    "xfs-ftype": ("rules/xfs-v4", {}),
    "xfs-holes": ("rules/xfs-v4", {}),
    "partition-type-hides-filesystem": ("images/mbr-primary", {}),
    "gpt-before-1.04": ("rules/gpt", {"pvgrub": "amazon-1.05"}),
    "menu-not-found": ("rules/boot-partition", {"pvgrub": "amazon-1.05"}),
    "root-device-mismatch": ("images/mbr-logical", {}),
    "symlink-depth": ("rules/five-links", {}),
    "pae-missing": ("rules/pae", {}),
    "arch-mismatch": ("rules/pae", {}),
    "kernel-config-without-xen": ("rules/config-with-xen", {}),
    "loader-inferred": ("rules/no-notes", {}),
    "payload-unsupported": ("rules/xz-kernel", {"pvgrub": "amazon-1.05"}),
    "fallback-broken": ("images/demo", {}),
    "aki-outdated": ("images/boots", {"aki": "pv-grub-hd0_1.05-x86_64.gz"}),
    "ari-with-pvgrub": ("images/boots", {"ami": SAMPLE}),
    "hvm-needs-no-pvgrub": ("images/boots", {"ami": SAMPLE}),
    "aki-not-pvgrub": ("images/boots", {"ami": SAMPLE}),
    "filesystem-untested": ("rules/xfs-v4", {}),
    "instance-type-without-pv": ("images/boots", {"ami": {**SAMPLE, "InstanceTypeSpecification": MIXED}}),
    "instance-type-architecture": ("rules/pae", {"instance_type": "c1.medium"}),
    "domain-memory-too-small": ("rules/large-initrd", {"memory": 128}),
    "fstab-device-missing": ("rules/fstab-right", {}),
    "console-without-getty": ("rules/inittab-with", XEN),
    "newer-kernel-not-in-menu": ("rules/initrd-with-driver", {}),
    "root-device-name": ("rules/root-xvda1", {"device": "/dev/sda1"}),
    "initrd-unreadable": ("rules/initrd-with-driver", {}),
    "initrd-not-for-this-kernel": ("rules/initrd-with-driver", {}),
    "initrd-without-block-front-end": ("rules/initrd-with-driver", {}),
    "pvgrub-crash": ("images/ext4-today", {}),
    "pvgrub-hang": ("images/ext4-today", {}),
}
"""Near misses; for the other rules, images/boots."""
