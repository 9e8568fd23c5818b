"""What is said of a kernel because of an inference, not of a document."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.kernels import loader_answers, whole
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity


@rule(
    "loader-inferred",
    Severity.NOTE,
    "That this version refuses the kernel, or with which error, is inferred",
    """
Amazon never published its PV-GRUB. From consoles that users and AWS put on the net one can tell from which tree of Xen
it was built: 1.01 to 1.03 have the loader of Xen 4.0.0, 1.04 and 1.05 that of Xen 4.3. Most kernels fare alike in all
trees. Of this one today's loader, with the same payload formats, would say something else, so that the verdict is as
good as the inference: an ELF file without section names, a feature whose name the old tree does not know, or only
another number of the error.

**Remedy.** None is needed beyond that of the other findings: a kernel that every loader takes.

**Source.** Console logs of 2010 to 2016; Xen, `tools/libxc/xc_dom_elfloader.c`, `xen/common/libelf/libelf-dominfo.c` of
the trees (docs/versions.md).
""",
)
def loader_inferred(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.profiles.loaders import NEWEST
    from pvgrub_sim.xen.loader import parse_image
    from pvgrub_sim.xen.refusal import KernelRefused

    if not case.amazon:
        return
    mine = case.profile.loader
    newest = NEWEST._replace(payloads=mine.payloads, recognised=mine.recognised)
    for answer in loader_answers(case):
        kernel = whole(answer.ref.place, answer.ref.path) if answer.error else None
        if kernel is None:
            continue
        error = 0
        try:
            parse_image(kernel, case.profile._replace(loader=newest), lambda _: None, memory=case.boot.memory)
        except KernelRefused as refused:
            error = refused.number
        if error != answer.error:
            other = f"end in Error {error}" if error else "take it"
            yield Draft(
                f"That {case.pvgrub} ends in Error {answer.error} for the kernel {answer.ref.path} is inferred: its "
                f"loader is taken to be that of Xen {mine.tree}, and that of Xen {NEWEST.tree} would {other}.",
                (),
                case.at(answer.ref.line),
                answer.reason,
            )
