"""Kernels that PV-GRUB's loader refuses (Xen, tools/libs/guest and xen/common/libelf)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.foreign import bios_loader, chain_loaded, modules_of_hypervisor
from pvgrub_sim.findings.facts.kernels import Inside, LoaderAnswer, inside, loader_answers
from pvgrub_sim.findings.facts.place import gunzip
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.ondisk.elf import MAGIC as ELF_MAGIC
from pvgrub_sim.typed import Final

OLDEST_PROTOCOL: Final = 0x208
EM_386: Final = 3


def _name(answer: LoaderAnswer) -> str:
    text = answer.facts.version.split(" ")[0] if answer.facts else ""
    return f"{answer.ref.path} (Linux {text})" if text else answer.ref.path


@rule(
    "payload-unsupported",
    Severity.ERROR,
    "The kernel is compressed in a way that this PV-GRUB cannot unpack",
    """
A bzImage carries its kernel compressed, and PV-GRUB has to unpack it. Amazon's 1.04 and 1.05 know gzip, bzip2,
lzo and xz; 1.03 and earlier gzip only; Xen's own learnt lz4 with 4.4 and zstd with 4.15. Ubuntu's kernels are
lz4 since 19.10 and zstd since 21.10, Debian's cloud kernels lz4, NixOS's and Flatcar's zstd. What it does not
know ends in `unknown compression format`, then `Error 9: Unknown boot failure`.

**Remedy.** `pvgrub-sim repack --payload gzip` makes the same kernel with a payload that every version unpacks;
run it after each kernel upgrade.

**Source.** AWS, "User Provided Kernels" (the four formats); Xen, `tools/libs/guest/xg_dom_bzimageloader.c`.
""",
)
def payload_unsupported(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.payload import format_of

    for ref in case.files("kernel"):
        raw = case.kernel_head(ref)
        raw = gunzip(raw, len(raw)) if is_gzip(raw) else raw
        tried = case.tried(ref)
        if not bzimage.is_bzimage(raw) or (tried is not None and not tried.error):
            continue
        header = bzimage.read_setup_header(raw)
        found = format_of(raw[header.payload_start : header.payload_start + 8])
        if header.version < OLDEST_PROTOCOL or found is None:
            continue
        broken = found.name == "lz4" and case.profile.lz4_broken and case.profile.arch == "x86_64"
        if found.name in case.profile.payloads and not broken:
            continue
        known = ", ".join(sorted(case.profile.payloads))
        why = "whose lz4 decoder is broken" if broken else f"which unpacks {known}" + ("" if "," in known else " only")
        version = bzimage.kernel_version(raw).split(" ")[0]
        yield Draft(
            f"The payload of the kernel {ref.path}{f' (Linux {version})' if version else ''} is {found.name}, "
            "and this is "
            f"{case.pvgrub}, {why}.",
            remedies.files.repack(ref.place, ref.path),
            ref.where(header.payload_start),
            f"payload magic {raw[header.payload_start : header.payload_start + 6].hex(' ')}, "
            f"{header.payload_length} bytes",
        )


@rule(
    "no-xen-notes",
    Severity.ERROR,
    "The kernel does not say that it runs under Xen",
    """
A kernel for Xen's paravirtual mode says so in ELF notes named `Xen` (GUEST_OS, XEN_VERSION, LOADER, ENTRY,
HYPERCALL_PAGE), or in an old section `__xen_guest`. Without them, or with others than `linux` or `generic` and
`xen-3.0`, the loader refuses it: `Error 9: Unknown boot failure`. Debian's 32-bit kernels since Debian 11, and
every kernel without CONFIG_XEN_PV, are such.

**Remedy.** A kernel that is built for it. The notes cannot be added: the code behind them would be missing.

**Source.** Xen, `xen/common/libelf/libelf-dominfo.c:elf_xen_note_check`; `xen/include/public/elfnote.h`.
""",
)
def no_xen_notes(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.refusal import NOTES_REFUSED

    for answer in loader_answers(case):
        if answer.cause not in NOTES_REFUSED:
            continue
        found = inside(answer.facts)
        if for_pvh_alone(found):
            continue
        yield Draft(
            f"The kernel {_name(answer)} has no notes that Xen's loader accepts: {_own(answer.reason)}.",
            remedies.menus.use_other_kernel(case, answer.ref),
            case.at(answer.ref.line),
            _notes(found),
        )


def _own(reason: str) -> str:
    return reason if reason[1:2].isupper() else reason[:1].lower() + reason[1:]


def _notes(found: Inside) -> str:
    shown = [
        f"{name}={value:#x}" if isinstance(value, int) else f"{name}={value}" for name, value in found.notes.items()
    ]
    return "notes: " + (", ".join(shown) or "none")


@rule(
    "pvh-only",
    Severity.ERROR,
    "The kernel can be started as a PVH guest only",
    """
A kernel with CONFIG_XEN_PVH and without CONFIG_XEN_PV has the note PHYS32_ENTRY and none of ENTRY,
HYPERCALL_PAGE and VIRT_BASE: it starts in PVH mode, which PV-GRUB, a paravirtual guest itself, cannot give it.
Mostly the loader refuses it (`Error 9: Unknown boot failure`). With GUEST_OS and XEN_VERSION in its notes and
an entry address that fits, the loader takes it all the same, and jumps into code that expects another machine:
the domain dies at once. Then it is a warning here, for the handover itself works.

**Remedy.** A kernel with CONFIG_XEN_PV=y.

**Source.** Xen, `xen/include/public/elfnote.h` (XEN_ELFNOTE_PHYS32_ENTRY), `libelf-dominfo.c`.
""",
    outside=True,
)
def pvh_only(case: Case) -> Iterator[Draft]:
    for answer in loader_answers(case):
        if answer.error == 9:
            found = inside(answer.facts)
        elif answer.tried and not answer.error and answer.ref.entry is case.booted:
            found = Inside(notes=case.boot.kernel_detail.get("notes") or {})
        else:
            continue
        if not for_pvh_alone(found):
            continue
        taken = "" if answer.error else " The loader takes it, and the domain dies at its first instruction."
        yield Draft(
            f"The kernel {_name(answer)} has the note PHYS32_ENTRY and none for the paravirtual mode: it is "
            "for PVH only." + taken,
            remedies.menus.use_other_kernel(case, answer.ref),
            case.at(answer.ref.line),
            _notes(found),
            Severity.ERROR if answer.error else Severity.WARNING,
        )


def for_pvh_alone(found: Inside) -> bool:
    """True when the notes are those of a kernel that starts in PVH mode only."""
    return "PHYS32_ENTRY" in found.notes and not found.notes.keys() & {"ENTRY", "HYPERCALL_PAGE", "VIRT_BASE"}


@rule(
    "pae-missing",
    Severity.ERROR,
    "A 32-bit kernel without PAE",
    """
Xen runs 32-bit paravirtual guests with PAE only. A 32-bit kernel says so in the note PAE_MODE, which must be
exactly `yes` or contain `bimodal`; without it its guest type is `xen-3.0-x86_32`, which no Xen takes: `Error
13` in Amazon's versions and Xen's up to 4.15, where only PV-GRUB asks for it, then `Error 9`.

**Remedy.** A kernel with CONFIG_X86_PAE=y (Debian: the `686-pae` flavour up to Linux 5.8), or a 64-bit one with
the 64-bit AKI.

**Source.** Xen, `tools/libs/guest/xg_dom_elfloader.c:xc_dom_guest_type`; AWS: "32-bit PAE".
""",
)
def pae_missing(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.refusal import Cause

    for answer in loader_answers(case):
        found = inside(answer.facts)
        if not answer.error or answer.cause is Cause.WRONG_WIDTH:
            continue
        if found.machine != EM_386 or not found.notes or found.pae in ("extended-cr3", "bimodal"):
            continue
        mode = found.notes.get("PAE_MODE", found.notes.get("PAE"))
        told = "no PAE_MODE note" if mode is None else f"its PAE mode {mode!r} does not count"
        yield Draft(
            f"The kernel {_name(answer)} is a 32-bit one without PAE ({told}), which Xen does not run.",
            remedies.menus.use_other_kernel(case, answer.ref),
            case.at(answer.ref.line),
            _notes(found),
        )


@rule(
    "boot-protocol-too-old",
    Severity.ERROR,
    "The kernel's boot protocol is older than 2.08",
    """
The field that says where a bzImage's payload is came with version 2.08 of Linux's boot protocol (2.6.26, 2008).
The loader takes nothing older: `boot protocol too old`, then `Error 9`.

**Remedy.** A newer kernel; or the unpacked ELF (`vmlinux`) of the old one, which PV-GRUB boots when it has
Xen's notes.

**Source.** Xen, `tools/libs/guest/xg_dom_bzimageloader.c`; Linux, `Documentation/arch/x86/boot.rst`.
""",
)
def boot_protocol(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.refusal import Cause

    for answer in loader_answers(case):
        if answer.cause is not Cause.PROTOCOL_TOO_OLD or answer.facts is None:
            continue
        yield Draft(
            f"The kernel {_name(answer)} has boot protocol {answer.facts.protocol}, and PV-GRUB's loader wants 2.08 "
            "or later.",
            remedies.menus.use_other_kernel(case, answer.ref),
            answer.ref.where(bzimage.VERSION),
        )


@rule(
    "not-a-kernel",
    Severity.ERROR,
    "The file is no kernel that PV-GRUB can start",
    """
PV-GRUB starts Linux bzImages, ELF kernels with Xen's notes (gzip'd or not), and Xen's own multiboot-style
binaries. Anything else, a BSD loader, an EFI program, GRUB 2's `core.img` (the entry "Chainload into GRUB 2" that
Debian's grub-pc wrote), a kernel of another machine, is read whole and refused at `boot`: `no loader found`,
`Error 9`. `chainloader` has nothing to chain to: `Error 13` or `Error 8`. An entry for a dom0 starts Xen's hypervisor,
which is no kernel of a guest either.

**Remedy.** A Linux kernel, or another system's kernel that is built as a Xen paravirtual guest; where the menu has
another entry with such a kernel, that one as the default. Of a dom0's entry the first module becomes the kernel, with
its arguments, and the second the initrd.

**Source.** Xen, `tools/libs/guest/xg_dom_core.c:xc_dom_find_loader`; `stubdom/grub/kexec.c`.
""",
)
def not_a_kernel(case: Case) -> Iterator[Draft]:
    for entry in case.reachable:
        path = bios_loader(case, entry)
        if path is not None:
            yield Draft(
                f"{entry.opening} starts {path}, a boot loader for a BIOS, which a paravirtual guest does not have.",
                remedies.menus.use_other_entry(case, entry),
                case.at(entry.first("kernel")),
            )
        elif (modules := modules_of_hypervisor(entry)) and not case.healthy:
            yield Draft(
                f"{entry.opening} is one for a dom0: it starts Xen's hypervisor with {modules[0].file} as its module, "
                "and a guest starts that kernel itself.",
                remedies.menus.guest_entry(case, entry, modules),
                case.at(entry.first("kernel")),
            )
    for answer in loader_answers(case):
        head = answer.answer.head
        if chain_loaded(case, answer.ref.entry):
            continue
        if answer.error != 9 or bzimage.is_bzimage(head) or head[:4] == ELF_MAGIC:
            continue
        yield Draft(
            f"{answer.ref.path} is neither a bzImage nor an ELF file: it begins with {head[:8].hex(' ') or 'nothing'}.",
            remedies.menus.use_other_kernel(case, answer.ref),
            case.at(answer.ref.line),
            f"{answer.facts.size if answer.facts else 0} bytes",
        )
    for entry in case.reachable:
        line = entry.first("chainloader")
        if line is not None:
            yield Draft(
                f"{entry.opening} chain-loads {line.argument}, and there is no BIOS in a paravirtual guest to run it.",
                remedies.menus.use_other_entry(case, entry),
                case.at(line),
            )


@rule(
    "kernel-refused",
    Severity.ERROR,
    "The loader refuses the kernel",
    """
The kernel was read and PV-GRUB's loader does not take it, for a reason that no other rule has a word for: a
damaged payload, an ELF whose tables lie outside of the file, addresses that do not fit, a required feature that
Xen does not know.

**Remedy.** Compare the file with the package it comes from (`debsums`, `rpm -V`); copy it anew.

**Source.** Xen, `tools/libs/guest`, `xen/common/libelf`.
""",
    unless=("filesystem",),
)
def kernel_refused(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.refusal import Cause

    for answer in loader_answers(case):
        refused = answer.error and answer.cause is not Cause.WRONG_WIDTH
        if refused and not case.explained(answer.ref.entry):
            yield Draft(
                f"The loader refuses the kernel {_name(answer)}: {_own(answer.reason)}.",
                remedies.menus.use_other_kernel(case, answer.ref),
                case.at(answer.ref.line),
            )
