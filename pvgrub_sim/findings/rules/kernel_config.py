"""The configuration that a kernel was built with, where it lies beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.survey.result import BootFile
from pvgrub_sim.typed import Final

XEN_PV_SINCE: Final = (4, 12)
"""Linux since which CONFIG_XEN_PV is an option of its own; before, CONFIG_XEN meant it."""
_VERSION: Final = r"(\d+)\.(\d+)"


@rule(
    "kernel-config-without-xen",
    Severity.ERROR,
    "The kernel's own configuration says that it is not built for Xen's paravirtual mode",
    """
Distributions put the configuration of each kernel beside it as `config-VERSION`. Without `CONFIG_XEN_PV=y`
(before Linux 4.12: `CONFIG_XEN=y`) the kernel has no paravirtual entry point, and the loader refuses it. The
rule speaks of kernels that were refused or that PV-GRUB did not come to; one that the loader takes is taken
whatever the file says.

**Remedy.** Another flavour of the kernel, or one's own build with `CONFIG_XEN_PV=y`,
`CONFIG_XEN_BLKDEV_FRONTEND`, `CONFIG_XEN_NETDEV_FRONTEND` and `CONFIG_HVC_XEN=y`.

**Source.** Linux, `arch/x86/xen/Kconfig`.
""",
)
def kernel_config(case: Case) -> Iterator[Draft]:
    for ref in case.files("kernel"):
        tried = case.tried(ref)
        if tried is not None and not tried.error:
            continue
        file = config_of(ref)
        if file is None or not file.facts or runs_under_xen(file):
            continue
        told = {name: file.facts.get(name, "n") for name in ("CONFIG_XEN", "CONFIG_XEN_PV", "CONFIG_XEN_PVH")}
        yield Draft(
            f"{file.path} beside the kernel {ref.path} has CONFIG_XEN_PV not set: the kernel is not built for Xen's "
            "paravirtual mode.",
            remedies.menus.use_other_kernel(case, ref),
            Where(ref.device, file.path),
            ", ".join(f"{name}={value}" for name, value in told.items()),
        )


def config_of(ref: FileRef) -> BootFile | None:
    """The configuration that goes with a kernel by its name."""
    folder, _, name = ref.path.rpartition("/")
    version = name.partition("-")[2]
    if not version or ref.place is None or ref.place.filesystem is None:
        return None
    return ref.place.filesystem.file(f"{folder}/config-{version}")


def runs_under_xen(file: BootFile) -> bool:
    """True when a configuration has the paravirtual mode."""
    found = re.search(_VERSION, file.path)
    version = (int(found[1]), int(found[2])) if found else XEN_PV_SINCE
    option = "CONFIG_XEN_PV" if version >= XEN_PV_SINCE else "CONFIG_XEN"
    return file.facts.get(option) == "y"
