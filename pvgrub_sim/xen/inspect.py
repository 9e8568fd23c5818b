"""All there is to know of a kernel file, and which PV-GRUBs boot it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from types import MappingProxyType

from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.profiles import PROFILES, Profile
from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.elf import ElfDamaged, is_elf, memory_range, open_elf
from pvgrub_sim.xen.excerpt import OUTPUT_LIMIT, InMemory, NotInExcerpt, Source
from pvgrub_sim.xen.flat import find_table
from pvgrub_sim.xen.loader import parse_image
from pvgrub_sim.xen.memory import LoaderMemory
from pvgrub_sim.xen.notes import NotAXenKernel, read_xen_info
from pvgrub_sim.xen.packed import Packed, PayloadDamaged
from pvgrub_sim.xen.payload import format_of, unpack
from pvgrub_sim.xen.refusal import Cause, KernelRefused
from pvgrub_sim.xen.xen_info import XenInfo

MACHINES = {0: "none", 3: "i386", 40: "arm", 50: "ia64", 62: "x86-64", 183: "aarch64", 243: "riscv"}
BUILDS = ("x86_64", "i386")


class KernelPayload(NamedTuple):
    """A bzImage's payload: format (`none` when unknown or uncompressed), place and sizes in bytes.

    size_word: its last four bytes, by convention the unpacked size. unpacked: the true size, None when it does not
    unpack, for the reason in damage.
    """

    format: str
    offset: int
    length: int
    size_word: int
    unpacked: int | None = None
    damage: str = ""


class KernelElf(NamedTuple):
    """The ELF file inside: class in bits, machine, entry and the range of its loadable segments."""

    bits: int
    machine: int
    entry: int
    low: int
    high: int

    @property
    def machine_name(self) -> str:
        """The machine in words, or its number."""
        return MACHINES.get(self.machine, str(self.machine))


class KernelOpinion(NamedTuple):
    """What one build of one version does with the kernel: boots it, or ends in a GRUB error for a cause.

    error: the number, None also where PV-GRUB dies.
    """

    profile: str
    arch: str
    error: int | None
    reason: str
    cause: Cause | None = None

    @property
    def boots(self) -> bool:
        """True when that PV-GRUB hands the kernel over."""
        return self.cause is None


class KernelFacts(NamedTuple):
    """One kernel. kind: `bzImage`, `ELF`, `multiboot-binary` or `unknown`. notes_from: `notes` or `__xen_guest`.

    pae: `no`, `yes`, `extended-cr3` or `bimodal`, of i386 kernels.
    """

    kind: str
    size: int
    version: str = ""
    protocol: str = ""
    payload: KernelPayload | None = None
    elf: KernelElf | None = None
    notes_from: str = ""
    notes: Mapping[str, str | int] = MappingProxyType({})
    pae: str = "no"
    opinions: tuple[KernelOpinion, ...] = ()

    @property
    def arch(self) -> str:
        """The build of PV-GRUB that the kernel is for, as far as one can tell."""
        return "i386" if self.elf is not None and self.elf.machine == layout.EM_386 else "x86_64"

    def agreeing(self, arch: str | None = None) -> tuple[tuple[KernelOpinion, ...], ...]:
        """The opinions of one build, those of neighbouring versions together where they are the same.

        arch: `x86_64` or `i386`; None means the build that the kernel is for.
        """
        wanted = arch or self.arch
        return _agreeing(opinion for opinion in self.opinions if opinion.arch == wanted)

    def to_json(self) -> dict[str, Any]:
        """The facts as the JSON report has them."""
        payload, elf = self.payload, self.elf
        return {
            "format_version": 1,
            "kind": self.kind,
            "size": self.size,
            "version": self.version or None,
            "boot_protocol": self.protocol or None,
            "payload": payload
            and {
                "format": payload.format,
                "offset": payload.offset,
                "length": payload.length,
                "size_word": payload.size_word,
                "unpacked_size": payload.unpacked,
                "damage": payload.damage or None,
            },
            "elf": elf
            and {
                "class": elf.bits,
                "machine": elf.machine,
                "machine_name": elf.machine_name,
                "entry": elf.entry,
                "load_start": elf.low,
                "load_end": elf.high,
            },
            "notes_from": self.notes_from or None,
            "notes": dict(self.notes),
            "pvgrub": [
                {"name": o.profile, "arch": o.arch, "boots": o.boots, "error": o.error, "reason": o.reason or None}
                for o in self.opinions
            ],
        }


def examine(
    kernel: bytes, profiles: Iterable[Profile] | None = None, memory: LoaderMemory | None = None
) -> KernelFacts:
    """Look at a kernel as GRUB hands it over, and ask every profile, in both builds, what it makes of it.

    profiles: which to ask; None asks all, () none. memory: where what was unpacked is remembered. A file that is no
    kernel gives facts of the kind `unknown`.
    """
    memory = memory or LoaderMemory()
    facts = _examine(kernel, memory)
    asked = PROFILES.values() if profiles is None else profiles
    known: dict[tuple[object, ...], KernelOpinion] = {}
    opinions = []
    for profile in asked:
        for arch in BUILDS:
            # Many trees decide alike, and a kernel may have a lot to be looked at.
            key = profile.loader.rules, profile.memory, arch
            if key not in known:
                known[key] = _opinion(kernel, profile._replace(arch=arch), memory)
            opinions.append(known[key]._replace(profile=profile.name))
    return facts._replace(opinions=tuple(opinions))


def _opinion(kernel: bytes, profile: Profile, memory: LoaderMemory) -> KernelOpinion:
    try:
        parse_image(kernel, profile, lambda line: None, memory=memory)
    except KernelRefused as error:
        return KernelOpinion(profile.name, profile.arch, error.number or None, error.reason, error.cause)
    return KernelOpinion(profile.name, profile.arch, None, "")


def _agreeing(opinions: Iterable[KernelOpinion]) -> tuple[tuple[KernelOpinion, ...], ...]:
    """Neighbours that say the same, Amazon's versions and Xen's apart."""
    groups = groupby(opinions, lambda one: (one.profile.partition("-")[0], one._replace(profile="")))
    return tuple(tuple(group) for _, group in groups)


def _examine(kernel: bytes, memory: LoaderMemory) -> KernelFacts:
    packed = packed_payload(kernel, memory)
    source, size = unpacked_source(kernel, packed)
    facts = KernelFacts("unknown", len(kernel))
    if packed is not None:
        header = bzimage.read_setup_header(kernel)
        facts = facts._replace(
            kind="bzImage",
            version=bzimage.kernel_version(kernel),
            protocol=header.protocol,
            payload=_payload(kernel, packed),
        )
    try:
        facts = _with_elf(facts, source, size)
    except NotInExcerpt:
        facts = _with_elf(facts, *unpacked_source(kernel, packed and packed._replace(keep_all=True)))
    if find_table(kernel) is not None:
        facts = facts._replace(kind="multiboot-binary")
    return facts


def _with_elf(facts: KernelFacts, source: Source, size: int) -> KernelFacts:
    """The facts with what the ELF file inside says, if there is one."""
    if not is_elf(source, size):
        return facts
    try:
        elf = open_elf(source, size)
    except ElfDamaged:
        return facts
    low, high = memory_range(elf)
    try:
        info = read_xen_info(elf)
    except NotAXenKernel:
        info = XenInfo()
    return facts._replace(
        kind=facts.kind if facts.kind == "bzImage" else "ELF",
        elf=KernelElf(64 if elf.is64 else 32, elf.header("e_machine"), elf.header("e_entry"), low, high),
        notes_from=info.source,
        notes=info.values,
        pae=info.pae,
    )


def packed_payload(kernel: bytes, memory: LoaderMemory | None = None) -> Packed | None:
    """The payload of a bzImage, as far as the file goes; None for any other file."""
    if not bzimage.is_bzimage(kernel):
        return None
    header = bzimage.read_setup_header(kernel)
    image = memoryview(kernel)[header.payload_start :]
    known = memory.of(kernel) if memory else None
    most = max(0, OUTPUT_LIMIT - len(kernel))
    return Packed(image, min(header.payload_length, len(image)), memory=known, most=most)


def unpacked_source(kernel: bytes, packed: Packed | None) -> tuple[Source, int]:
    """What to read the ELF file from, and its size: a bzImage's payload, unpacked if that can be, or the file."""
    if packed is None:
        return InMemory(kernel), len(kernel)
    found = format_of(packed.payload)
    try:
        result = unpack(found, packed) if found else None
    except PayloadDamaged:
        result = None
    if result is None:
        return InMemory(packed.payload), packed.length
    return result.data, result.size


def _payload(kernel: bytes, packed: Packed) -> KernelPayload:
    header = bzimage.read_setup_header(kernel)
    found = format_of(packed.payload)
    name = found.name if found else "none"
    facts = KernelPayload(name, header.payload_start, header.payload_length, packed.size_word)
    if header.payload_start + header.payload_length > len(kernel):
        return facts._replace(damage="it reaches beyond the end of the file")
    if found is None:
        return facts._replace(unpacked=packed.length if packed.payload[:4] == layout.MAGIC else None)
    try:
        result = unpack(found, packed)
    except PayloadDamaged as error:
        text = str(error.args[0]) if error.args else "it is damaged or cut short"
        return facts._replace(damage=text.removeprefix("xc_dom_do_gunzip: "))
    return facts._replace(unpacked=len(result.data) if result else None)
