"""Xen's names for kinds of guests, and which of them PV-GRUB boots (xc_dom_guest_type(), kexec())."""

from __future__ import annotations

from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.profiles import Profile
from pvgrub_sim.xen.elf import ElfImage
from pvgrub_sim.xen.image import KernelImage
from pvgrub_sim.xen.refusal import Cause, KernelRefused, Refusal
from pvgrub_sim.xen.wording import Wording
from pvgrub_sim.xen.xen_info import XenInfo

SUPPORTED_TYPES = frozenset({"xen-3.0-x86_64", "xen-3.0-x86_32p"})
"""Guest types that Xen takes (its capabilities)."""
IA64_UNTIL = (4, 3)
"""Before this release there is a guest type for machines of that kind."""
OF_BUILD = {
    "x86_64": ("xen-3.0-x86_64", "x86 64 kernels"),
    "i386": ("xen-3.0-x86_32p", "x86 32 PAE kernels"),
}
"""What each build of PV-GRUB boots, and what it calls it."""


def guest_type(elf: ElfImage, info: XenInfo) -> str | None:
    """Xen's name for the kind of kernel; None for an unknown machine where the loader refuses it."""
    machine = elf.header("e_machine")
    if machine == layout.EM_X86_64:
        return "xen-3.0-x86_64"
    if machine == layout.EM_386:
        return "xen-3.0-x86_32" if info.pae == "no" else "xen-3.0-x86_32p"
    if elf.loader.unknown_machine:
        return None
    if machine == layout.EM_IA_64 and elf.loader.xen < IA64_UNTIL:
        return "xen-3.0-ia64be" if elf.big_endian else "xen-3.0-ia64"
    return "xen-3.0-unknown"


def check_width(image: KernelImage, profile: Profile, words: Wording) -> None:
    """PV-GRUB's own check (kexec.c:kexec); raises KernelRefused(13)."""
    if not image.guest_type:
        return
    wanted, kernels = OF_BUILD[profile.arch]
    if image.guest_type != wanted:
        words.write(f"can only boot {kernels}, not {image.guest_type}\n")
        values = {"wanted": kernels, "guest_type": image.guest_type}
        cause = {"xen-3.0-x86_32": Cause.NO_PAE_BY_PVGRUB}.get(image.guest_type, Cause.OTHER_MACHINE)
        if image.guest_type in SUPPORTED_TYPES:
            cause = Cause.WRONG_WIDTH
        raise KernelRefused(Refusal(cause, values), image.detail)
