"""What PV-GRUB starts, and what else there is to start."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity


@rule(
    "second-boot-loader",
    Severity.WARNING,
    "What PV-GRUB starts is no Linux, and what it does is not looked at",
    """
A kernel says in its notes which system it is (GUEST_OS). PV-GRUB starts any that its loader takes: GRUB 2 built for
Xen, which then reads its own `grub.cfg`; Mini-OS and what is built on it (MirageOS, rumprun, another PV-GRUB); NetBSD,
FreeBSD, illumos. What these do next is not simulated, and the rules about Linux's arguments and initrds leave them
alone: that is a note. A GRUB 2 finds its `grub.cfg` under the prefix that it was made with, which is told, in a memdisk
that it carries, or by a configuration in itself. It is a warning where it has neither and no `grub.cfg` is on any of
the disks, under its prefix or in a usual place: it stops at its prompt.

**Remedy.** For GRUB 2: `grub-mkconfig -o /boot/grub/grub.cfg` in a chroot of the root.

**Source.** Xen, `xen/include/public/elfnote.h` (XEN_ELFNOTE_GUEST_OS); GRUB 2, `util/grub-mkimagexx.c`,
`include/grub/kernel.h`; mini-os, `arch/x86/x86_64.S`.
""",
    outside=True,
)
def second_boot_loader(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.guest import GuestKind, guest_of
    from pvgrub_sim.findings.remedies.steps import advice

    for ref in case.files("kernel"):
        tried = case.tried(ref)
        guest = guest_of(case, ref) if ref.entry is case.booted and tried is not None and not tried.error else None
        if guest is None or guest.kind is GuestKind.LINUX:
            continue
        version = f" {guest.version}" if guest.version else ""
        what = guest.kind.value if guest.kind is not GuestKind.OTHER else f"a system that calls itself {guest.name!r}"
        told, severity, evidence = "what it does next is not looked at", Severity.NOTE, ""
        if guest.kind is GuestKind.GRUB2:
            from pvgrub_sim.findings.facts.grub2 import next_config

            config = next_config(case, ref)
            evidence = config.prefix and f", prefix {config.prefix}"
            if config.there:
                told = f"it reads its own configuration next ({', '.join(config.there)}), which is not simulated"
            elif config.sure:
                told, severity = "none of the disks has the grub.cfg that it looks for", Severity.WARNING
        yield Draft(
            f"{ref.path} is {what}, not Linux: {told}.",
            advice("in a chroot of the root: grub-mkconfig -o /boot/grub/grub.cfg")
            if severity is Severity.WARNING
            else (),
            case.at(ref.line),
            f"GUEST_OS {guest.name}{version}{evidence}",
            severity,
        )


@rule(
    "newer-kernel-not-in-menu",
    Severity.NOTE,
    "A newer kernel is there and in no entry of the menu, or a kernel was half removed",
    """
An upgrade writes its kernel into GRUB 2's configuration, and menu.lst, which nobody writes any more, goes on to name
the old one, until that is removed. The newest is that of the highest release, by the order of package managers (4.18
comes after 4.9); kernels kept aside (rescue, `.old`) do not count. An initrd without its kernel, and a kernel without
the initrd that the others have, are what a package leaves that was removed in part, or not configured to its end.

**Remedy.** An entry for it, behind the one that boots; or what writes menu.lst: `update-grub` of grub-legacy-ec2 or
pv-grub-menu, `grubby`.

**Source.** cloud-init issue 2444; RPM, `rpmio/rpmvercmp.c`.
""",
    outside=True,
)
def newer_kernel(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    place = start.kernel.place if start else None
    if start is None or place is None or not case.healthy:
        return
    from pvgrub_sim.findings.facts.boot_files import initrd_for
    from pvgrub_sim.findings.facts.newer_kernels import half_removed, newest_not_named
    from pvgrub_sim.findings.facts.where import Where
    from pvgrub_sim.findings.remedies.names import shown_word
    from pvgrub_sim.findings.remedies.steps import advice

    newest = newest_not_named(case, start)
    if newest is not None:
        file, release = newest
        initrd = initrd_for(place, file.path)
        lines = ["once it is known to boot here (PV-GRUB has to unpack it), an entry of its own:", f"title {release}"]
        lines += [f"root {start.kernel.device}", f"kernel {shown_word(file.path)} {start.kernel.line.arguments}"]
        yield Draft(
            f"{start.entry.opening} boots {start.release}, and the newer kernel {file.path} is in no entry.",
            advice(*lines, *([f"initrd {shown_word(initrd)}"] if initrd else [])),
            Where(place.device, file.path),
        )
    for words in half_removed(place):
        yield Draft(f"A kernel is there in part: {words}.", (), place.where)


@rule(
    "kernel-known-trouble",
    Severity.WARNING,
    "Public reports say that this kernel dies as a paravirtual guest",
    """
The handover works, and then there is silence, or a panic, on every instance. The rule knows a few releases of which a
public tracker or forum says so, each with its source; that a release is not among them says nothing.

**Remedy.** Another kernel: the finding says whether an entry of this menu has one.

**Source.** unix.stackexchange.com question 415767 (CentOS 6); github.com/coreos/bugs issues 1690 and 1716, and
github.com/coreos/coreos-overlay pull request 3064.
""",
    outside=True,
)
def known_trouble(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    if start is None or not start.release:
        return
    from pvgrub_sim.profiles.kernel_troubles import trouble_of

    trouble = trouble_of(start.release)
    if trouble is None:
        return
    from pvgrub_sim.findings.facts.newer_kernels import entries_with_kernels, release_in
    from pvgrub_sim.findings.remedies.steps import advice

    others = [
        (entry, release)
        for entry, path in entries_with_kernels(case)
        if entry.number is not None and (release := release_in(path)) and trouble_of(release) is None
    ]
    told = f" Entry {others[0][0].number} of this menu has another kernel, {others[0][1]}." if others else ""
    take = f"set `default {others[0][0].number}`, or take" if others else "take"
    yield Draft(
        f"Linux {start.release} {trouble.what}: {trouble.source}.{told}",
        advice(f"{take} {trouble.instead}"),
        case.at(start.kernel.line),
        start.kernel.path,
    )
