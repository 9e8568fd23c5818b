"""`pvgrub-sim kernel`: all there is to know of a kernel, and which PV-GRUBs boot it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from pvgrub_sim import one_line
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import KERNEL_HELP, print_json
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import KernelFacts, KernelOpinion

BUILD_NAMES = {"x86_64": "64-bit", "i386": "32-bit"}
NOTES_FROM = {"notes": "", "__xen_guest": "from the section __xen_guest", "": "none"}
ADDRESSES = frozenset(
    {
        "ENTRY",
        "HYPERCALL_PAGE",
        "VIRT_BASE",
        "PADDR_OFFSET",
        "HV_START_LOW",
        "INIT_P2M",
        "PHYS32_ENTRY",
        "VIRT_ENTRY",
        "ELF_PADDR_OFFSET",
        "SUPPORTED_FEATURES",
    }
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kernel", metavar="KERNEL", help=KERNEL_HELP)
    configure_image(parser)
    parser.add_argument("--pvgrub", metavar="VERSION", help="ask only this version of PV-GRUB (default: all)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report (default: text)")


def run(args: argparse.Namespace) -> int:
    """Print the facts; 0 when any PV-GRUB that was asked boots the kernel, else 1."""
    from pvgrub_sim import examine_kernel, shown_source

    facts = examine_kernel(args.kernel, pvgrub=args.pvgrub, **image_options(args))
    name = shown_source(args.kernel)
    if args.format == "json":
        print_json({"kernel": name, **facts.to_json()})
    else:
        sys.stdout.writelines(f"{one_line(line)}\n" for line in text(name, facts))
    return 0 if any(opinion.boots for opinion in facts.opinions) else 1


def text(name: str, facts: KernelFacts) -> Iterator[str]:
    """The facts, line by line."""
    yield f"{name}: {facts.kind if facts.kind != 'unknown' else 'no kernel that PV-GRUB knows'}, {facts.size} bytes"
    rows: list[tuple[str, str]] = []
    if facts.version:
        rows.append(("version", facts.version))
    if facts.protocol:
        rows.append(("boot protocol", facts.protocol))
    if (payload := facts.payload) is not None:
        words = f"{payload.format}, {payload.length} bytes at {payload.offset}"
        if payload.damage:
            words += f": {payload.damage}"
        elif payload.unpacked is not None:
            agrees = payload.format == "none" or payload.size_word == payload.unpacked
            words += f", unpacks to {payload.unpacked}" if payload.format != "none" else ", an ELF file as it is"
            words += "" if agrees else f" (the size word says {payload.size_word})"
        rows.append(("payload", words))
    if (elf := facts.elf) is not None:
        places = f"entry {elf.entry:#x}, loads {elf.low:#x} to {elf.high:#x}"
        rows.append(("ELF", f"{elf.bits}-bit {elf.machine_name}, {places}"))
    if facts.kind != "unknown":
        rows.append(("Xen notes", NOTES_FROM[facts.notes_from]))
    for label, value in rows:
        yield f"  {label:<14} {value}".rstrip()
    for note, content in facts.notes.items():
        yield f"    {note:<18} {_note(note, content)}".rstrip()
    yield ""
    yield from _table(facts)


def _note(name: str, value: str | int) -> str:
    return hex(value) if isinstance(value, int) and name in ADDRESSES else str(value)


def _table(facts: KernelFacts) -> Iterator[str]:
    """What each version does, for the build that the kernel is for; the other build in one line where none boots it."""
    own = facts.agreeing()
    (other_arch,) = BUILD_NAMES.keys() - {facts.arch}
    other = facts.agreeing(other_arch)
    rows = [(versions(group), group[-1]) for group in own]
    if other and not any(group[-1].boots for group in other):
        rows.append(("all", other[-1][-1]))
    else:
        rows += [(versions(group), group[-1]) for group in other]
    width = max((len(names) for names, _ in rows), default=0)
    for names, opinion in rows:
        yield f"  {names:<{width}}  {BUILD_NAMES[opinion.arch]}  {_verdict(opinion)}"


def versions(group: Sequence[KernelOpinion]) -> str:
    """The versions of some opinions in words: the one, or the first and the last."""
    first, last = group[0].profile, group[-1].profile
    return first if first == last else f"{first} … {last.partition('-')[2]}"


def _verdict(opinion: KernelOpinion) -> str:
    if opinion.boots:
        return "boots"
    return f"Error {opinion.error}: {opinion.reason}" if opinion.error else opinion.reason
