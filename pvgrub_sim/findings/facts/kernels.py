"""What the kernel loader says, or would say, to the kernels that the menu names, and what is inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pvgrub_sim.bootchain import KernelTry, refused_try
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.foreign import modules_of_hypervisor
from pvgrub_sim.findings.facts.place import Place, gunzip
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.xen.inspect import KernelFacts
    from pvgrub_sim.xen.refusal import Cause

LARGEST_KERNEL: Final = 64 << 20
"""Bytes of a kernel that is judged although PV-GRUB never came to it."""


class LoaderAnswer(NamedTuple):
    """What the loader says, or would say, to a kernel.

    ref: which. answer: with the refusal, and with the facts and the head of a kernel that is refused. tried: PV-GRUB
    itself came to it.
    """

    ref: FileRef
    answer: KernelTry
    tried: bool

    @property
    def error(self) -> int:
        """GRUB's error number, 0 when the kernel is accepted."""
        return self.answer.error

    @property
    def reason(self) -> str:
        """Why it is refused, in words."""
        return self.answer.reason

    @property
    def cause(self) -> Cause | None:
        """Why it is refused."""
        return self.answer.cause

    @property
    def facts(self) -> KernelFacts | None:
        """What is inside, of a refused kernel."""
        return self.answer.facts


def loader_answers(case: Case) -> list[LoaderAnswer]:
    """The kernels of reachable entries, each with the loader's answer."""
    if case.loader_answers is None:
        case.loader_answers = list(_loader_answers(case))
    return case.loader_answers


def _loader_answers(case: Case) -> Iterator[LoaderAnswer]:
    for ref in case.files("kernel"):
        if modules_of_hypervisor(ref.entry):
            # What the loader has against Xen itself is nothing that a kernel's remedy fits.
            continue
        one = case.tried(ref)
        if one is not None:
            yield LoaderAnswer(ref, one, True)
        elif case.config is None and (kernel := whole(ref.place, ref.path)):
            given = ask_loader(case, kernel)
            # Which build of PV-GRUB runs is not known before a kernel is.
            if given.cause is None or not given.cause.other_build:
                yield LoaderAnswer(ref, given, False)


def whole(place: Place | None, path: str) -> bytes | None:
    """A kernel as it is, gunzipped as GRUB would."""
    node = place.node(path) if place else None
    if place is None or node is None or node.size > LARGEST_KERNEL:
        return None
    try:
        raw = b"".join(place.pieces(path))
    except Damaged:
        return None
    return gunzip(raw, LARGEST_KERNEL) if is_gzip(raw) else raw


def ask_loader(case: Case, kernel: bytes) -> KernelTry:
    """What the loader says to the bytes of a kernel."""
    from pvgrub_sim.xen.loader import KernelRefused, parse_image

    try:
        parse_image(kernel, case.profile, lambda line: None, memory=case.boot.memory)
    except KernelRefused as refused:
        return refused_try(0, "", kernel, refused.refusal, case.boot.memory)
    return KernelTry(0, "")


class Inside(NamedTuple):
    """What is inside a kernel: its ELF machine (0 when there is no ELF), and Xen's notes by name."""

    machine: int = 0
    notes: Mapping[str, str | int] = MappingProxyType({})
    pae: str = "no"


def inside(facts: KernelFacts | None) -> Inside:
    """What a refused kernel has inside, whatever the format of its payload."""
    if facts is None:
        return Inside()
    return Inside(facts.elf.machine if facts.elf else 0, facts.notes, facts.pae)
