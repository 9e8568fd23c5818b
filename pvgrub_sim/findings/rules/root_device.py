"""The root device that the kernel is told, against the names that this kernel gives the disks."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.remedies.edits import edit_menu, substitute
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.root_spec import RootSpec
    from pvgrub_sim.findings.facts.starts import Start
    from pvgrub_sim.findings.remedies.steps import Remedy


@rule(
    "root-device-name",
    Severity.WARNING,
    "The kernel is told a root device that it will not have",
    """
A guest's disks have the names that its kernel gives them, which are not always those that they are attached by.
Mainline since 2.6.37 calls all of them `xvd`: `/dev/sda1` is `xvda1`, and `hda1` the whole disk `xvda`. Linux 2.6.37 to
3.0 and RHEL 6 add four letters to SCSI names, so that `sda` is `xvde`, RHEL 6 unless `xen_blkfront.sda_is_xvda=1` is
given. Kernels of XenSource's old tree (`-xen`, `xenU`, `el5xen`, `-ec2`) keep the name. No paravirtual guest has `vda1`
or `nvme0n1p1`; `/dev/loop0p1` and paths are the build host's; `/dev/mapper/…` wants LVM or LUKS on the disks, and a
link below `/dev/disk/` a volume that has that UUID or label. A partition that the disk does not have is told, and a
root that is the boot partition while another volume holds the operating system. Where a disk that was not given could
have that name, or RHEL's parameter could stand in the initrd, it is a note; a kernel whose release is not known is left
alone. [The names by kernel](root-names.md) has a table.

**Remedy.** `root=LABEL=…` or `root=UUID=…` of the volume that holds an operating system where there is an initrd, which
finds it whatever it is called; else the name that this kernel gives it.

**Source.** Linux, `drivers/block/xen-blkfront.c:xen_translate_vdev`, `xlvbd_alloc_gendisk`, and commits c80a420995e7
and 196cfe2ae8fc; Red Hat bug 729586.
""",
    outside=True,
)
def root_device_name(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    root = start.argument("root") if start else None
    # Labels and UUIDs are another rule's, and most images have these.
    if start is None or root is None or not root.startswith("/"):
        return
    from pvgrub_sim.findings.facts.devices import named_places
    from pvgrub_sim.findings.facts.root_names import root_trouble
    from pvgrub_sim.findings.facts.root_spec import root_spec

    spec = root_spec(start)
    trouble = root_trouble(case, start, spec) if spec else None
    if spec is None or trouble is None:
        return
    named: dict[str, str] = {}
    for name, place in named_places(case, start):
        if place.volume.contents:
            named.setdefault(place.device, f"{place.device} is /dev/{name}")
    yield Draft(
        f"{start.entry.opening} tells the kernel root={spec.text}, which {trouble.why}.",
        _remedy(case, start, spec),
        case.at(start.kernel.line),
        ", ".join(named.values()),
        None if trouble.sure else Severity.NOTE,
    )


def _remedy(case: Case, start: Start, spec: RootSpec) -> Remedy:
    """The root of the volume with an operating system, or the names to choose from."""
    from pvgrub_sim.findings.facts.devices import name_of
    from pvgrub_sim.findings.facts.root import has_system, root_argument_of
    from pvgrub_sim.findings.remedies.steps import advice

    systems = [place for place in case.places if has_system(place)]
    right = root_argument_of(case, start.kernel.place) if start.initrd else None
    if start.initrd is None and len(systems) == 1 and (name := name_of(case, start, systems[0])):
        right = f"root=/dev/{name}"
    old = next(word for word in reversed(start.words) if word.startswith("root="))
    if right is None or right == old:
        known = [
            (place, one) for place in case.places for one in place.volume.contents if one.uuid and place.filesystem
        ]
        lines = [
            f"{place.device}: {f'root=LABEL={one.label} or ' if one.label else ''}root=UUID={one.uuid}"
            for place, one in known
        ]
        return advice(remedies.menus.ROOT_UNKNOWN, *lines)
    return edit_menu(
        case,
        substitute(start.kernel.line, old, right),
        *remedies.automagic.root_argument_kept(case, old, right),
    )
