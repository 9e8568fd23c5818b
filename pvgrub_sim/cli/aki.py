"""`pvgrub-sim aki`: Amazon's PV-GRUB kernel images: which there are, which to use, and what an AMI has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator

from pvgrub_sim import UsageError, one_line
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import print_json
from pvgrub_sim.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pvgrub_sim import akis


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
    recommend.add_argument(
        "--ami", metavar="FILE", help="of the architecture of this AMI: the saved JSON of `aws ec2 describe-images`"
    )
    recommend.add_argument("--ami-id", metavar="ID", help="which AMI of that file, where it describes several: ami-…")
    configure_image(recommend)
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
    sys.stdout.writelines(one_line(line) + "\n" for line in lines)


# --- list and show


def _list(args: argparse.Namespace) -> int:
    from pvgrub_sim import akis

    rows = akis.find_akis(region=args.region, arch=args.arch, version=args.version)
    if args.format == "json":
        print_json([row._asdict() for row in rows])
    elif rows:
        _write(_table(rows))
    if not rows:
        print("pvgrub-sim: no AKI matches all of that", file=sys.stderr)
        return 1
    return 0


def _table(rows: Iterable[akis.Aki]) -> Iterator[str]:
    cells = [("REGION", "AKI", "VERSION", "DEVICE", "ARCH", "NAME")]
    cells += [(row.region, row.id, row.version, row.device, row.arch, row.name) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _show(args: argparse.Namespace) -> int:
    from pvgrub_sim import akis

    profile = akis.find_aki(args.aki)
    row = akis.by_id(args.aki)
    version = profile.name.removeprefix("amazon-")
    rows = (row,) if row else akis.find_akis(device=profile.device, version=version, arch=profile.arch)
    newer = akis.newer_than(row) if row else None
    facts = {
        "version": version,
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
        print_json({"akis": [one._asdict() for one in rows], **facts, "newer": newer._asdict() if newer else None})
        return 0
    _write(
        [
            f"{args.aki}: PV-GRUB {version} ({profile.released}), {profile.device}, boots {profile.arch} kernels",
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


def _origin(row: akis.Aki) -> str:
    return f"source: {row.source}; {row.note}" if row.note else f"source: {row.source}"


# --- recommend


def _recommend(args: argparse.Namespace) -> int:
    from pvgrub_sim import akis

    options = image_options(args)
    found = akis.recommend(args.image, region=args.region, ami=args.ami, ami_id=args.ami_id, **options)
    if args.format == "json":
        choices = [{"region": region, "aki": row._asdict() if row else None} for region, row in found.choices.items()]
        outcomes = {kind: str(outcome) for kind, outcome in found.outcomes.items()}
        told = {"image": found.image, "arch": found.arch, "boots": found.boots}
        print_json({**told, "outcomes": outcomes, "regions": choices})
    else:
        _write(_recommendation(found))
    return 0 if found.boots else 1


def _recommendation(found: akis.Recommendation) -> Iterator[str]:
    from pvgrub_sim import Outcome, headline

    first = found.first
    if not found.boots:
        if first.boots_default and first.profile.arch != found.arch:
            yield f"{found.image}: no AKI for {found.arch} boots its kernel, which is for {first.profile.arch}"
            yield f"  register the AMI anew with --architecture {first.profile.arch} and an AKI for it"
            return
        what = "the default entry of it" if first.outcome is Outcome.BOOTS else "it"
        yield f"{found.image}: no AKI boots {what}"
        yield f"  with the newest PV-GRUB: {headline(first)}"
        yield "  `pvgrub-sim boot` tells why and what to do."
        return
    yield f"{found.image}: needs a PV-GRUB for {found.arch} kernels"
    yield from (f"  {line}" for line in _table(row for row in found.choices.values() if row is not None))
    lacking = [region for region, row in found.choices.items() if row is None]
    if lacking:
        yield f"  none that boots it is catalogued for {', '.join(lacking)}"


# --- upgrade


def _upgrade(args: argparse.Namespace) -> int:
    from pvgrub_sim import akis

    steps = akis.upgrade_steps(args.aki, region=args.region, instance=args.instance)
    if args.format == "json":
        print_json({**steps._asdict(), "target": steps.target._asdict()})
    else:
        _write(f"# {note}" for note in steps.notes)
        _write(steps.commands)
    return 0


# --- check


def _check(args: argparse.Namespace) -> int:
    from pvgrub_sim import akis

    if args.file == "-":
        described = akis.parse_descriptions(_standard_input(akis.LARGEST_ANSWER), "standard input")
    else:
        described = akis.read_descriptions(args.file)
    reports = akis.check(described)
    if args.format == "json":
        print_json([_report_json(report) for report in reports])
    else:
        _write(line for report in reports for line in _report_text(report))
    return 0 if all(report.sound for report in reports) else 1


def _standard_input(most: int) -> bytes:
    """What comes there, at most a byte more than will be taken."""
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return sys.stdin.buffer.read(most + 1)


def _report_json(report: akis.AmiReport) -> dict[str, Any]:
    ami = report.ami._asdict()
    return {
        **ami,
        "paravirtual": report.paravirtual,
        "pvgrub": report.pvgrub,
        "aki_name": report.aki_name,
        "aki": report.aki._asdict() if report.aki else None,
        "newer": report.newer._asdict() if report.newer else None,
        "remarks": [remark._asdict() for remark in report.remarks],
    }


def _report_text(report: akis.AmiReport) -> Iterator[str]:
    ami = report.ami
    title = ami.image_id + (f" ({ami.name})" if ami.name else "")
    if ami.image_type == "machine":
        kind = {True: "paravirtual", False: "HVM", None: "virtualization type unknown"}[report.paravirtual]
        device = f"root device {ami.root_device_name or 'unknown'}"
    else:
        kind, device = f"{ami.image_type} image", ""
    words = [word for word in (kind, ami.architecture, device) if word]
    yield f"{title}: {', '.join(words)}"
    if report.aki is not None:
        yield f"  kernel: {report.aki.id} = {report.aki.name}, PV-GRUB {report.aki.version} in {report.aki.region}"
    elif report.aki_name is not None:
        kernel = ami.kernel_id or ami.image_id
        yield f"  kernel: {kernel} = {report.aki_name}, a PV-GRUB that is not catalogued"
    elif ami.kernel_id:
        yield f"  kernel: {ami.kernel_id}"
    if ami.image_type == "machine" and not ami.is_hvm:
        yield f"  ramdisk: {ami.ramdisk_id}" if ami.ramdisk_id else "  ramdisk: no ARI, as it should be"
    for remark in report.remarks:
        yield f"  {remark.severity}: {remark.text} [{remark.rule}]"
