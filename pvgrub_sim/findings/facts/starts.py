"""A Linux kernel as it is started: by which entry, with which initrd and arguments, and its release."""

from __future__ import annotations

import re

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.guest import is_linux
from pvgrub_sim.findings.facts.menufile import Entry
from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

_RELEASE: Final = r"[0-9][\w.+~-]{0,120}"
_IN_NAME: Final = r"(?:vmlinu[xz]|kernel|linux|bzImage)-(?:genkernel-\w+-)?(" + _RELEASE + ")"


class Start(NamedTuple):
    """The start of a Linux kernel.

    kernel, initrd: the files, None where the entry has no initrd. release: as `uname -r` says it, "" where that is not
    known.
    """

    kernel: FileRef
    initrd: FileRef | None
    release: str

    @property
    def entry(self) -> Entry:
        """The entry of the menu."""
        return self.kernel.entry

    @property
    def words(self) -> list[str]:
        """The kernel's arguments."""
        return self.kernel.line.arguments.split()

    def argument(self, name: str) -> str | None:
        """The value of `name=` on the kernel line, of several the last, as Linux has it."""
        found = [word for word in self.words if word.startswith(f"{name}=")]
        return found[-1].partition("=")[2] if found else None


def the_start(case: Case) -> Start | None:
    """The kernel that runs by itself: that of the entry that boots, else of the default; None when it is not Linux.

    None as well for a kernel that PV-GRUB's loader refuses: what it would meet afterwards is nobody's worry yet.
    """
    entry = case.booted or (case.menu.entry(case.default) if case.menu else None)
    kernels = [ref for ref in case.files("kernel") if ref.entry is entry]
    # A second kernel line takes the place of the first.
    if entry is None or not kernels or kernels[-1].seen.error:
        return None
    kernel = kernels[-1]
    tried = case.tried(kernel)
    if (tried is not None and tried.error) or not is_linux(case, kernel):
        return None
    initrds = [ref for ref in case.files("initrd", "module", "modulenounzip") if ref.entry is entry]
    behind = [ref for ref in initrds if ref.line.number > kernel.line.number]
    return Start(kernel, behind[-1] if behind else None, release_of(case, kernel))


def release_of(case: Case, ref: FileRef) -> str:
    """A kernel's release: as its header says, else as its name does; "" where neither does."""
    head = case.kernel_head(ref)
    told = bzimage.kernel_version(head).split(" ")[0] if bzimage.is_bzimage(head) else ""
    if re.fullmatch(_RELEASE, told):
        return told
    named = re.fullmatch(_IN_NAME, ref.path.rpartition("/")[2])
    return named[1] if named else ""


def version_of(release: str) -> tuple[int, ...]:
    """`(2, 6, 32)` of `2.6.32-5-xen-amd64`; empty where there is none."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    return tuple(int(part) for part in found.groups(default="0")) if found else ()
