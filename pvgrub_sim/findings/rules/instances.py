"""The instance on which an image is to run: whether EC2 starts it there, and whether it has memory enough."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.findings.remedies.steps import Remedy
    from pvgrub_sim.profiles.instance_types import InstanceType

MIB: Final = 1 << 20


@rule(
    "instance-type-without-pv",
    Severity.ERROR,
    "The instance type runs HVM images only",
    """
A paravirtual AMI runs on instances of earlier generations: T1, M1, M2, M3, C1, C3, HI1 and HS1. EC2 refuses all
others before PV-GRUB begins: `Virtualization type 'hvm' is required for instances of type 't2.micro'`. The type is that
of `--instance-type`, or what the AMI's description allows (`InstanceTypeSpecification`). A family that is in no table
here is a note. Whether EC2 still offers a type in a region is another matter.

**Remedy.** A type that runs paravirtual images; or an HVM image, which boots without PV-GRUB.

**Source.** AWS, DescribeInstanceTypes (`SupportedVirtualizationTypes`), and the user guide's "Linux AMI virtualization
types"; github.com/hashicorp/packer pull request 3051 (the message). The table with a source for each row is
`profiles/instance_types.py`.
""",
    outside=True,
)
def without_pv(case: Case) -> Iterator[Draft]:
    named = case.instance_types
    if not named or not case.amazon or (case.ami and case.ami.is_hvm) or _types(case):
        return
    from pvgrub_sim.profiles.instance_types import are_known

    known = are_known(named)
    told = "runs HVM images only" if known else "is not known here; all those that run paravirtual images are"
    what = named[0] if len(named) == 1 else f"Each of {', '.join(named[:6])}"
    severity = None if known else Severity.NOTE
    yield Draft(f"{what} {told}: this image needs a paravirtual instance.", _others(case), _where(case), "", severity)


@rule(
    "instance-type-architecture",
    Severity.ERROR,
    "The instance type does not run kernels of this width",
    """
PV-GRUB hands over in its own width, and EC2 starts a 32-bit image only on the types that have `i386` among their
architectures, of the paravirtual ones t1.micro, m1.small, m1.medium, c1.medium and c3.large: `The requested instance
type's architecture (x86_64) does not match the architecture in the manifest for ami-… (i386)`. All of them run 64-bit
images; those that did not, in EC2's first years, do today. What counts is the AMI's architecture where there is a
description, and else PV-GRUB's.

**Remedy.** A type that runs it, or a kernel and an AKI of the other width.

**Source.** AWS, DescribeInstanceTypes (`ProcessorInfo.SupportedArchitectures`); github.com/saltstack/salt issue 30404
(the message). The table with a source for each row is `profiles/instance_types.py`.
""",
    outside=True,
)
def architecture(case: Case) -> Iterator[Draft]:
    types = _types(case)
    wanted = case.ami.architecture if case.ami and case.ami.architecture else case.profile.arch
    if not types or any(wanted in one.arches for one in types):
        return
    names = ", ".join(one.name for one in types[:6])
    runs = "/".join(types[0].arches)
    what = "the image's AMI" if case.ami and case.ami.architecture else case.pvgrub
    yield Draft(f"{names} runs {runs} only, and {what} is for {wanted}.", _others(case), _where(case), types[0].source)


def _types(case: Case) -> tuple[InstanceType, ...]:
    """The paravirtual types on which it is to run; none where nobody says, or EC2 or PV-GRUB has no part in it."""
    if not case.instance_types or not case.amazon or (case.ami and case.ami.is_hvm):
        return ()
    from pvgrub_sim.profiles.instance_types import that_run

    return that_run(case.instance_types)


def _where(case: Case) -> Where:
    return Where(subject=case.ami.image_id) if case.ami else Where()


def _others(case: Case) -> Remedy:
    """The types that run it."""
    from pvgrub_sim.findings.remedies.steps import advice
    from pvgrub_sim.profiles.instance_types import paravirtual

    arch = case.profile.arch
    names = [one.name for one in paravirtual().values() if arch in one.arches]
    return advice(f"paravirtual images of {arch} run on {', '.join(names)}")


@rule(
    "domain-memory-too-small",
    Severity.ERROR,
    "The domain has not enough memory for kernel and initrd",
    """
PV-GRUB keeps the files that it has read (in buffers of a power of two), what it unpacks of the kernel, and builds the
new kernel's memory beside all that: the kernel's own, the initrd (unpacked where it is one of gzip), and lists of all
pages. There is no message of GRUB for it (`Error 28: Selected item cannot fit into memory`
is for the 257th module alone). Where a page is missing PV-GRUB writes over itself and dies; a single segment of more
than the domain has is `xc_dom_build_image returned -1` and `Error 9: Unknown boot failure`. The sizes are the least
that is needed, without PV-GRUB itself, so that what is told is sure. What Linux unpacks of the initrd afterwards has
to fit beside kernel and initrd: that is a warning. The rule speaks where somebody says how much memory there is:
`--instance-type`, `--memory`, the AMI's one instance type, or a domain's configuration.

**Remedy.** A larger instance; a smaller initrd: `MODULES=dep` (initramfs-tools), `hostonly=yes` (dracut).

**Source.** Xen, `stubdom/grub/mini-os.c:load_file`, `stubdom/grub/kexec.c:kexec_allocate`,
`tools/libs/guest/xg_dom_core.c:xc_dom_chk_alloc_pages`; Linux, `init/initramfs.c`.
""",
    outside=True,
)
def memory(case: Case) -> Iterator[Draft]:
    if not case.memory_named:
        return
    from pvgrub_sim.findings.facts.memory_needs import after_handover, at_handover, while_loading

    there = case.profile.memory * MIB
    for find, severity in ((while_loading, None), (at_handover, None), (after_handover, Severity.WARNING)):
        needs = find(case)
        if needs is not None and needs.total > there:
            yield Draft(
                f"{needs.what} takes at least {-(-needs.total // MIB)} MiB, and the {_domain(case)} has "
                f"{case.profile.memory} MiB of memory.",
                _smaller(case),
                needs.where,
                needs.shares,
                severity,
            )
            return


def _domain(case: Case) -> str:
    types = _types(case)
    return types[0].name if len(types) == 1 and types[0].memory == case.profile.memory else "domain"


def _smaller(case: Case) -> Remedy:
    from pvgrub_sim.findings.remedies.steps import advice

    larger = "an instance type" if case.amazon else "a domain"
    return advice(
        f"{larger} with more memory, or a smaller initrd: MODULES=dep (initramfs-tools), hostonly=yes (dracut)"
    )
