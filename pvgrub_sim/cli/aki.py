"""`pvgrub-sim aki`: Amazon's PV-GRUB kernel images: which there are, which to use, and what an AMI has."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvgrub_sim.errors import ImageError, UsageError

if TYPE_CHECKING:
    from pvgrub_sim.model import Verdict
    from pvgrub_sim.profiles.advice import AmiReport
    from pvgrub_sim.profiles.catalogue import Aki

LONGEST_INPUT = 1 << 30
_INSTANCE = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_VERSION = re.compile(r"1\.\d\d")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands below `aki`."""
    commands = parser.add_subparsers(dest="aki_command", metavar="COMMAND", required=True)

    def add(name: str, help_text: str, action: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        sub.set_defaults(aki_run=action)
        return sub

    listing = add("list", "list the PV-GRUB AKIs that are known", _list)
    listing.add_argument("--region", metavar="R", help="of one region only, e.g. eu-west-1")
    listing.add_argument("--arch", choices=("x86_64", "i386"), help="for kernels of one architecture only")
    listing.add_argument("--version", metavar="V", help="of one version only, e.g. 1.05")
    _format(listing)

    show = add("show", "tell what an AKI is and what it can do", _show)
    show.add_argument("aki", metavar="ID|NAME", help="aki-176bf516, or pv-grub-hd0_1.04-x86_64.gz")
    _format(show)

    recommend = add("recommend", "name the AKI of each region that boots a disk image", _recommend)
    recommend.add_argument("image", metavar="IMAGE", help="disk image or block device (only ever read)")
    recommend.add_argument("--region", metavar="R", help="for one region only")
    _format(recommend)

    upgrade = add("upgrade", "print the commands that give an instance the newest AKI", _upgrade)
    upgrade.add_argument("aki", metavar="ID|NAME", help="the AKI that the instance has now")
    upgrade.add_argument("--region", metavar="R", required=True, help="the instance's region")
    upgrade.add_argument("--instance", metavar="I", required=True, help="the instance's id, e.g. i-0123456789abcdef0")
    _format(upgrade)

    check = add("check", "tell from `aws ec2 describe-images` output how AMIs boot", _check)
    check.add_argument("file", metavar="FILE", help="the saved JSON, or - for standard input")
    _format(check)


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report (default: text)")


def run(args: argparse.Namespace) -> int:
    """Do what the command below `aki` says."""
    status: int = args.aki_run(args)
    return status


def _write(lines: Iterable[str]) -> None:
    sys.stdout.writelines(line + "\n" for line in lines)


def _json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


# ---- list and show


def _list(args: argparse.Namespace) -> int:
    from pvgrub_sim.profiles.catalogue import select, version_key

    if args.version is not None and not _VERSION.fullmatch(args.version):
        raise UsageError(f"{args.version!r} is no version of Amazon's PV-GRUB: 1.01 to 1.05")
    rows = select(region=args.region, arch=args.arch, version=args.version)
    rows = tuple(sorted(rows, key=lambda row: (row.region, version_key(row.version), row.device, row.arch)))
    if args.format == "json":
        _json([asdict(row) for row in rows])
    elif rows:
        _write(_table(rows))
    if not rows:
        print("pvgrub-sim: no AKI matches all of that", file=sys.stderr)
        return 1
    return 0


def _table(rows: Iterable[Aki]) -> Iterator[str]:
    cells = [("REGION", "AKI", "VERSION", "DEVICE", "ARCH", "NAME")]
    cells += [(row.region, row.id, row.version, row.device, row.arch, row.name) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _show(args: argparse.Namespace) -> int:
    from pvgrub_sim.profiles.advice import newer_than
    from pvgrub_sim.profiles.catalogue import by_id, catalogue, find_aki

    profile = find_aki(args.aki)
    row = by_id(args.aki)
    shape = (profile.device, profile.name.removeprefix("amazon-"), profile.arch)
    rows = [row] if row else [one for one in catalogue() if (one.device, one.version, one.arch) == shape]
    newer = newer_than(row) if row else None
    facts = {
        "version": shape[1],
        "device": profile.device,
        "arch": profile.arch,
        "released": profile.released,
        "config_paths": list(profile.config_paths),
        "gpt": profile.gpt,
        "payloads": sorted(profile.payloads),
        "documented": list(profile.documented),
        "inferred": list(profile.inferred),
    }
    if args.format == "json":
        _json({"akis": [asdict(one) for one in rows], **facts, "newer": asdict(newer) if newer else None})
        return 0
    _write(
        [
            f"{args.aki}: PV-GRUB {shape[1]} ({profile.released}), {profile.device}, boots {profile.arch} kernels",
            *(f"  in {one.region}: {one.id} = {one.name} ({_origin(one)})" for one in rows),
            f"  looks for its menu at: {', '.join(profile.config_paths)}",
            f"  reads GPT: {'yes' if profile.gpt else 'no'}",
            f"  unpacks kernels packed with: {', '.join(sorted(profile.payloads))}",
            *(f"  documented: {claim}" for claim in profile.documented),
            *(f"  inferred: {claim}" for claim in profile.inferred),
        ]
    )
    if newer:
        _write([f"  newer in {newer.region}: {newer.id} = {newer.name}"])
    return 0


def _origin(row: Aki) -> str:
    return f"source: {row.source}; {row.note}" if row.note else f"source: {row.source}"


# ---- recommend


def _recommend(args: argparse.Namespace) -> int:
    """For each region the newest AKI whose PV-GRUB boots the image, found by trying each kind of AKI once."""
    from pvgrub_sim.judge import boot
    from pvgrub_sim.model import Outcome
    from pvgrub_sim.profiles.advice import preference
    from pvgrub_sim.profiles.catalogue import regions, select

    if args.region is not None:
        select(region=args.region)
    first = boot(args.image, findings=False)
    arch = first.profile.arch
    tried: dict[tuple[str, str], Verdict] = {}
    chosen: list[tuple[str, Aki | None]] = []
    for region in [args.region] if args.region else regions():
        rows = sorted(select(region=region, arch=arch), key=preference, reverse=True)
        best = None
        for row in rows:
            key = (row.version, row.device)
            if key not in tried:
                tried[key] = boot(args.image, aki=row.id, findings=False)
            if tried[key].boots_default:
                best = row
                break
        chosen.append((region, best))
    boots = any(row is not None for _, row in chosen)
    if args.format == "json":
        regions_json = [{"region": region, "aki": asdict(row) if row else None} for region, row in chosen]
        outcome = {f"{version} {device}": str(verdict.outcome) for (version, device), verdict in tried.items()}
        _json({"image": args.image, "arch": arch, "boots": boots, "outcomes": outcome, "regions": regions_json})
        return 0 if boots else 1
    if not boots:
        said = first.errors[0].message if first.errors else first.reason
        ending = f"{first.outcome} ({said})" if said else str(first.outcome)
        _write([f"{args.image}: no AKI boots it: with the newest PV-GRUB it ends in: {ending}"])
        _write(["  `pvgrub-sim boot` tells why and what to do."])
        return 1
    fallback = " through a fallback entry" if first.outcome is Outcome.BOOTS and not first.boots_default else ""
    _write([f"{args.image}: needs a PV-GRUB for {arch} kernels{fallback}"])
    _write(f"  {line}" for line in _table(row for _, row in chosen if row is not None))
    lacking = [region for region, row in chosen if row is None]
    if lacking:
        _write([f"  none that boots it is catalogued for {', '.join(lacking)}"])
    return 0


# ---- upgrade


def _upgrade(args: argparse.Namespace) -> int:
    from pvgrub_sim.profiles.advice import upgrade
    from pvgrub_sim.profiles.catalogue import select

    if not _INSTANCE.fullmatch(args.instance):
        raise UsageError(f"{args.instance!r} is no instance id, such as i-0123456789abcdef0")
    select(region=args.region)
    steps = upgrade(args.aki, args.region, args.instance)
    if args.format == "json":
        _json(asdict(steps))
    else:
        _write(f"# {note}" for note in steps.notes)
        _write(steps.commands)
    return 0


# ---- check


def _check(args: argparse.Namespace) -> int:
    from pvgrub_sim.profiles.advice import check
    from pvgrub_sim.profiles.ami import parse_describe_images

    name = "standard input" if args.file == "-" else args.file
    reports = check(parse_describe_images(_input(args.file), name))
    if args.format == "json":
        _json([_report_json(report) for report in reports])
    else:
        _write(line for report in reports for line in _report_text(report))
    return 0 if all(report.sound for report in reports) else 1


def _input(file: str) -> bytes:
    if file == "-":
        raw = sys.stdin.buffer.read(LONGEST_INPUT + 1)
    else:
        try:
            with Path(file).open("rb") as source:
                raw = source.read(LONGEST_INPUT + 1)
        except (OSError, ValueError) as error:
            raise ImageError(file, (getattr(error, "strerror", None) or str(error)).lower()) from None
    if len(raw) > LONGEST_INPUT:
        raise UsageError(f"{file}: more than {LONGEST_INPUT} bytes")
    return raw


def _report_json(report: AmiReport) -> dict[str, Any]:
    ami = asdict(report.ami)
    return {
        **ami,
        "paravirtual": report.paravirtual,
        "pvgrub": report.pvgrub,
        "aki_name": report.aki_name,
        "aki": asdict(report.aki) if report.aki else None,
        "newer": asdict(report.newer) if report.newer else None,
        "remarks": [asdict(remark) for remark in report.remarks],
    }


def _report_text(report: AmiReport) -> Iterator[str]:
    ami = report.ami
    title = ami.image_id + (f" ({ami.name})" if ami.name else "")
    if ami.image_type == "machine":
        kind = {True: "paravirtual", False: "HVM", None: "virtualization type unknown"}[report.paravirtual]
        device = f"root device {ami.root_device_name or 'unknown'}"
    else:
        kind, device = f"{ami.image_type} image", ""
    words = [word for word in (kind, ami.architecture, device) if word]
    yield _printable(f"{title}: {', '.join(words)}")
    if report.aki is not None:
        yield f"  kernel: {report.aki.id} = {report.aki.name}, PV-GRUB {report.aki.version} in {report.aki.region}"
    elif report.aki_name is not None:
        kernel = ami.kernel_id or ami.image_id
        yield _printable(f"  kernel: {kernel} = {report.aki_name}, a PV-GRUB that is not catalogued")
    elif ami.kernel_id:
        yield _printable(f"  kernel: {ami.kernel_id}")
    if ami.image_type == "machine" and not ami.is_hvm:
        yield _printable(f"  ramdisk: {ami.ramdisk_id}" if ami.ramdisk_id else "  ramdisk: no ARI, as it should be")
    for remark in report.remarks:
        yield _printable(f"  {remark.severity}: {remark.text} [{remark.rule}]")


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
