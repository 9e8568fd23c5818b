"""The options that say which PV-GRUB runs, in what domain, on which disks."""

from __future__ import annotations

import argparse

from pvgrub_sim import UsageError
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import MachineOptions


def configure_machine(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="DEVICE=IMAGE",
        help="attach a further disk, e.g. /dev/sdb=data.img; disks are ordered by vbd number",
    )
    configure_image(parser)
    parser.add_argument("--device", help="device name of the first disk (default: /dev/sda1, or the AMI's root device)")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--aki", metavar="AKI", help="PV-GRUB of this AKI: aki-176bf516 or pv-grub-hd0_1.04-x86_64.gz")
    version.add_argument(
        "--pvgrub", metavar="VERSION", help="PV-GRUB version: amazon-1.01 … amazon-1.05, xen-4.0 … xen-4.21"
    )
    parser.add_argument(
        "--arch",
        choices=("auto", "x86_64", "i386"),
        default="auto",
        help="which build of PV-GRUB; auto (default): that of the kernel",
    )
    parser.add_argument(
        "--config", metavar="PATH", help="config file as a Xen domain's extra= gives it: '(hd0)/boot/grub/menu.lst'"
    )
    parser.add_argument(
        "--memory", metavar="MIB", type=int, help="the domain's memory in MiB (default: the instance type's, else 256)"
    )
    parser.add_argument(
        "--instance-type",
        metavar="TYPE",
        help="EC2's instance type on which it is to run, e.g. m1.small: findings say what it does not run",
    )
    parser.add_argument(
        "--ami", metavar="FILE", help="JSON of `aws ec2 describe-images`: AKI, ARI, architecture and root device"
    )
    parser.add_argument("--ami-id", metavar="ID", help="which AMI of that file, where it describes several: ami-…")
    project = parser.add_mutually_exclusive_group()
    project.add_argument(
        "--project",
        metavar="FILE",
        help="take options from this project file (default: .pvgrub-sim.toml or pyproject.toml, where it has any)",
    )
    project.add_argument("--no-project", action="store_true", help="take options from the command line alone")


def machine_options(args: argparse.Namespace) -> MachineOptions:
    """The options as keyword arguments of boot(), Session() and interact(); raises UsageError."""
    return {
        "disks": dict(_named_disk(text) for text in args.disk),
        "device": args.device,
        "aki": args.aki,
        "pvgrub": args.pvgrub,
        "arch": args.arch,
        "config": args.config,
        "ami": args.ami,
        "ami_id": args.ami_id,
        "memory": args.memory,
        "instance_type": args.instance_type,
        **image_options(args),
    }


def ignored(text: str) -> tuple[str, str]:
    """A rule whose findings do not count, and the reason: `RULE`, or `RULE=REASON`."""
    rule, _, reason = text.partition("=")
    return rule, reason


def _named_disk(text: str) -> tuple[str, str]:
    device, equals, path = text.partition("=")
    # A device has no colon in its name: where it seems to have one, that is an address with a query.
    if not equals or not device or not path or ":" in device:
        raise UsageError(f"--disk wants DEVICE=IMAGE (/dev/sdb=data.img), not {text!r}")
    return device, path
