"""What a menu has of other boot loaders: commands that PV-GRUB does not know, and programs for a BIOS."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import Entry, Line, split_device
from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.ondisk.elf import MAGIC as ELF_MAGIC
from pvgrub_sim.typed import Final

HARMLESS: Final = (
    "quiet", "savedefault", "search", "insmod", "recordfail", "gfxmode", "set", "echo", "load_video", "uuid",
    "load_env", "gfxpayload", "clear", "sleep", "fi", "if", "else", "}",
)  # fmt: skip
"""Commands without which an entry that has a root and a kernel does as well."""
ROOT_GIVING: Final = ("uuid", "findroot", "bootfs", "search", "set")
"""Commands that give an entry its root device in other boot loaders: Ubuntu's GRUB legacy, illumos', GRUB 2."""
ILLUMOS: Final = ("findroot", "bootfs", "kernel$", "module$")
"""Commands of illumos' GRUB legacy (illumos-gate, usr/src/grub/grub-0.97/stage2/builtins.c)."""
SAME_ELSEWHERE: Final = {
    "linux": "kernel", "linux16": "kernel", "linuxefi": "kernel",
    "initrd16": "initrd", "initrdefi": "initrd",
}  # fmt: skip
"""GRUB 2's commands with one of GRUB legacy's that takes the same arguments."""
_HYPERVISOR: Final = r"xen(?:[-_.][\w.+~-]*)?"
"""`xen.gz`, `xen-4.0-amd64.gz` (Debian), `xen.gz-2.6.18-164.el5` (CentOS 5)."""
BIOS_LOADERS: Final = ("core.img", "g2ldr", "grldr", "grub.exe", "ipxe.lkrn", "memdisk", "memtest86+.bin",
                       "memtest86.bin", "memtest.bin")  # fmt: skip
"""Files that boot loaders for a BIOS start: GRUB 2's image, GRUB4DOS, iPXE, memory tests."""


def roots(entry: Entry) -> bool:
    """True for an entry that has a root line."""
    return entry.first("root", "rootnoverify") is not None


def lost_root(entry: Entry) -> Line | None:
    """The line that was to give an entry its root and that PV-GRUB does not know; None where that does no harm."""
    if roots(entry):
        return None
    return next((line for line in entry.lines if not line.known and line.command in ROOT_GIVING), None)


def bios_loader(case: Case, entry: Entry) -> str | None:
    """The file of a boot loader for a BIOS that an entry starts, None when it starts none."""
    line = entry.first("kernel")
    path = split_device(line.file)[1] if line else ""
    if path.rpartition("/")[2].lower() not in BIOS_LOADERS:
        return None
    for place in case.places:
        head = place.head(path, bzimage.HEADER_SIZE) if place.is_file(path) else None
        if head is not None:
            return None if head[:4] == ELF_MAGIC or bzimage.is_bzimage(head) else path
    return path


def chain_loaded(case: Case, entry: Entry | None) -> bool:
    """True for an entry that starts another boot loader, or Xen itself, which no remedy for a kernel's entry fits."""
    if entry is None:
        return False
    return bool(bios_loader(case, entry) or entry.first("chainloader") or modules_of_hypervisor(entry))


def modules_of_hypervisor(entry: Entry) -> tuple[Line, ...]:
    """The modules of an entry that starts Xen's hypervisor: the kernel of dom0, its initrd; () for any other entry."""
    line = entry.first("kernel")
    name = line.file.rpartition("/")[2] if line else ""
    if not name.startswith("xen") or not re.fullmatch(_HYPERVISOR, name):
        return ()
    return tuple(other for other in entry.lines if other.known and other.command in ("module", "modulenounzip"))


def command_names(lines: Sequence[Line]) -> str:
    """The commands of lines, each once: `'findroot', 'bootfs'`."""
    return ", ".join(f"'{command}'" for command in dict.fromkeys(line.command for line in lines) if command)


def for_illumos(lines: Sequence[Line]) -> str:
    """Whose commands they are, where they are illumos'."""
    if any(line.command in ILLUMOS for line in lines):
        return "; they are those of illumos' GRUB, whose systems want a pv-grub of their own"
    return ""
