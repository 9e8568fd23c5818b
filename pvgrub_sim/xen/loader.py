"""The kernel as libxenguest and PV-GRUB take it: accepted, or refused with libxc's own words.

Sources: tools/libs/guest/xg_dom_{core,bzimageloader,elfloader,binloader,boot}.c, stubdom/grub/kexec.c.
"""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.profiles import Profile
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.elf import ElfDamaged, ElfImage, is_elf, open_elf
from pvgrub_sim.xen.excerpt import InMemory, NotInExcerpt, Source
from pvgrub_sim.xen.flat import FlatRefused, FlatTable, check_table, find_table
from pvgrub_sim.xen.guest_type import SUPPORTED_TYPES, check_width, guest_type
from pvgrub_sim.xen.image import KernelImage
from pvgrub_sim.xen.memory import KernelMemory, LoaderMemory
from pvgrub_sim.xen.notes import NotAXenKernel, check_xen_info, read_xen_info
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, PayloadTooLarge
from pvgrub_sim.xen.payload import Format, format_of, unpack
from pvgrub_sim.xen.refusal import BOOT_FAILURE, Cause, KernelRefused, Refusal, refused
from pvgrub_sim.xen.wording import INTERNAL_ERROR, PROBE, Log, Wording
from pvgrub_sim.xen.xen_info import XenInfo

__all__ = ["KernelImage", "KernelRefused", "parse_image"]

OLDEST_PROTOCOL = 0x208
PARSE = "xc_dom_parse_elf_kernel"


class _Blob(NamedTuple):
    """What the loaders look at: the file, then its payload, then what that unpacks to (dom->kernel_blob)."""

    data: Source
    size: int


class _Loader:
    """One run of xc_dom_parse_image()."""

    def __init__(
        self, kernel: bytes, profile: Profile, log: Log, *, unpack: bool, memory: KernelMemory, keep_all: bool
    ) -> None:
        self.kernel = kernel
        self.memory = memory
        self.profile = profile
        self.bits = 64 if profile.arch == "x86_64" else 32
        self.rules = profile.loader
        self.words = Wording(profile.loader, log)
        self.unpack = unpack
        self.keep_all = keep_all
        self.file = _Blob(InMemory(kernel), len(kernel))
        self.blob = self.file
        self.payload = ""
        self.refusal = Refusal(Cause.NO_LOADER)

    def parse(self) -> KernelImage:
        """The image, or KernelRefused(9)."""
        flat = find_table(self.kernel)
        if flat is not None:
            return self.flat(flat)
        if self.probe_bzimage():
            if self.blob.size < 0:
                return self.described(KernelImage("bzImage", self.payload))
            if self.probe_elf():
                return self.elf("bzImage")
        # QUIRK: a failed probe leaves the blob at the payload, so a bare ELF in a bzImage boots all the same.
        if self.probe_elf():
            return self.elf("ELF" if self.blob is self.file else "bzImage")
        self.words.panic("no_loader", "xc_dom_find_loader: no loader found")
        raise KernelRefused(self.refusal)

    # --- bzImage

    def refuse_bzimage(self, message: str, text: str, cause: Cause, **values: str | int) -> bool:
        self.words.panic(message, f"{PROBE}{text}")
        self.refusal = Refusal(cause, values)
        return False

    def probe_bzimage(self) -> bool:
        """True when the payload was unpacked, or left packed for the ELF loader (xc_dom_probe_bzimage_kernel)."""
        if len(self.kernel) < bzimage.HEADER_SIZE:
            self.words.panic("too_small", f"{PROBE}: kernel image too small", INTERNAL_ERROR)
            return False
        if not bzimage.is_bzimage(self.kernel):
            self.words.not_a_bzimage()
            return False
        header = bzimage.read_setup_header(self.kernel)
        if header.version < OLDEST_PROTOCOL:
            text = f": boot protocol too old ({header.version:04x})"
            return self.refuse_bzimage("protocol", text, Cause.PROTOCOL_TOO_OLD, version=header.version)
        start, length = header.payload_start, header.payload_length
        if not self.rules.checks_place:
            # QUIRK: what lies behind the file is taken for a payload; as it is not known, there is nothing for us.
            start &= 0xFFFFFFFF
        elif start >= len(self.kernel):
            return self.refuse_bzimage("offset", ": payload offset overflow", Cause.PAYLOAD_OFFSET)
        elif start + length > len(self.kernel):
            return self.refuse_bzimage("length", ": payload length overflow", Cause.PAYLOAD_LENGTH)
        image = memoryview(self.kernel)[start:]
        self.blob = _Blob(InMemory(image[:length]), length)
        self.payload = "none"
        found = format_of(image[:length], self.rules.payloads | self.rules.recognised)
        if found is None:
            known = format_of(image[:length])
            text = ": unknown compression format"
            if known is None:
                return self.refuse_bzimage("unknown", text, Cause.PAYLOAD_UNKNOWN)
            self.payload = known.name
            return self.refuse_bzimage("unknown", text, Cause.PAYLOAD_UNSUPPORTED, payload=known.name)
        self.payload = found.name
        # Both the file and what it unpacks to lie in the domain's memory (xg_dom_core.c:xc_dom_malloc).
        most = max(0, (self.profile.memory << 20) - len(self.kernel))
        return self.unpacked(found, Packed(image, length, self.bits, self.rules.lz4, self.keep_all, self.memory, most))

    def unpacked(self, found: Format, packed: Packed) -> bool:
        """True when a payload was unpacked, or need not be."""
        try:
            if found.name not in self.rules.payloads:
                raise PayloadDamaged
            if not self.unpack:
                self.blob = _Blob(InMemory(b""), -1)
                return True
            result = unpack(found, packed)
        except PayloadDamaged as error:
            for text in error.args:
                if found.name == "gzip":
                    self.words.panic("inflate", text, INTERNAL_ERROR)
                else:
                    self.words.panic("decoder", text)
            if found.name not in self.rules.payloads:
                cause = Cause.PAYLOAD_NAME_ONLY
            elif found.name == "lz4" and self.profile.lz4_broken:
                cause = Cause.LZ4_BROKEN
            elif isinstance(error, PayloadTooLarge):
                cause = Cause.PAYLOAD_TOO_LARGE
            else:
                cause = Cause.PAYLOAD_DAMAGED
            memory = self.profile.memory
            return self.refuse_bzimage(found.name, found.complaint, cause, payload=found.name, memory=memory)
        if result is not None:
            self.blob = _Blob(result.data, result.size)
        return True

    # --- ELF

    def probe_elf(self) -> bool:
        """True when the ELF loader takes the blob (xc_dom_probe_elf_kernel)."""
        data, size = self.blob.data, self.blob.size
        if not is_elf(data, size):
            return False
        if not self.rules.probes_notes:
            return True
        try:
            elf = open_elf(data, size, self.bits, self.rules)
            check_xen_info(elf, self.xen_info(elf))
        except ElfDamaged:
            self.refusal = Refusal(Cause.ELF_DAMAGED)
            return False
        except NotAXenKernel as error:
            self.refusal = error.refusal
            return False
        return True

    def xen_info(self, elf: ElfImage) -> XenInfo:
        """What read_xen_info() finds, remembered for the loaders that read alike; raises NotAXenKernel."""
        # A hostile kernel makes each reading take long.
        key = ("notes", self.payload, self.blob.size, self.bits, self.rules.reading, self.keep_all)
        known = self.memory.images.get(key)
        if known is None:
            try:
                known = read_xen_info(elf)
            except NotAXenKernel as error:
                known = error.with_traceback(None)
            self.memory.images[key] = known
        if isinstance(known, NotAXenKernel):
            raise NotAXenKernel(known.refusal, known.function)
        return known.copy()

    def elf(self, loader: str) -> KernelImage:
        """The image of an ELF kernel (xc_dom_parse_elf_kernel, xc_dom_compat_check)."""
        try:
            elf = open_elf(self.blob.data, self.blob.size, self.bits, self.rules)
        except ElfDamaged as error:
            self.words.overflow(error.table, error.end, self.blob.size)
            self.words.panic("corrupted", f"{PARSE}: corrupted ELF image")
            raise refused(Cause.ELF_DAMAGED) from None
        if self.rules.needs_section_names and not elf.section_names:
            self.words.panic("no_shstrtab", f"{PARSE}: ELF image has no shstrtab")
            raise refused(Cause.NO_SECTION_NAMES)
        try:
            info = self.xen_info(elf)
            check_xen_info(elf, info)
        except NotAXenKernel as error:
            if error.function:
                self.words.complain(error.function, error.refusal)
            raise KernelRefused(error.refusal) from None
        if info.needs_dom0:
            self.words.panic("dom0", f"{PARSE}: {Cause.DOM0_ONLY.words}")
            raise refused(Cause.DOM0_ONLY)
        image = KernelImage(
            loader=loader,
            payload=self.payload,
            guest_type=self.guest_type(elf, info),
            size=self.blob.size,
            bits=64 if elf.is64 else 32,
            start=info.start,
            end=info.end,
            entry=info.virt_entry,
            notes_from=info.source,
            notes=info.values,
        )
        return self.supported(self.described(image))

    def described(self, image: KernelImage) -> KernelImage:
        """The image with what the setup header says."""
        if not bzimage.is_bzimage(self.kernel):
            return image
        header = bzimage.read_setup_header(self.kernel)
        return image._replace(version=bzimage.kernel_version(self.kernel), protocol=header.protocol)

    def guest_type(self, elf: ElfImage, info: XenInfo) -> str:
        """Xen's name for the kind of kernel; raises KernelRefused for an unknown machine where the loader does."""
        found = guest_type(elf, info)
        if found is None:
            machine = elf.header("e_machine")
            self.words.panic("machine", f"xc_dom_guest_type: {self.rules.unknown_machine} {machine}")
            raise refused(Cause.UNKNOWN_MACHINE, machine=machine)
        return found

    def flat(self, table: FlatTable) -> KernelImage:
        """The image of a flat kernel."""
        try:
            guest_type, start, end = check_table(table, len(self.kernel), self.bits)
        except FlatRefused as error:
            self.words.panic(error.message, f"xc_dom_parse_bin_kernel: {error.text}")
            raise refused(Cause.FLAT_TABLE, fault=error.text) from None
        return self.supported(
            KernelImage(
                "multiboot-binary", "", guest_type, size=len(self.kernel), start=start, end=end, entry=table.entry_addr
            )
        )

    def supported(self, image: KernelImage) -> KernelImage:
        """The image, unless libxc asks here whether Xen takes guests of its type, and it does not."""
        if self.rules.checks_guest_type and image.guest_type not in SUPPORTED_TYPES:
            text = f"guest type {image.guest_type} not supported by xen kernel, sorry"
            self.words.panic("abi", f"xc_dom_compat_check: {text}")
            raise refused(Cause.NO_PAE, guest_type=image.guest_type)
        return image


class _Remembered(NamedTuple):
    """What was found out about a kernel: what is printed, and the image or the refusal."""

    lines: tuple[str, ...]
    outcome: KernelImage | KernelRefused


def _parse(kernel: bytes, profile: Profile, unpack: bool, memory: KernelMemory, keep_all: bool = False) -> _Remembered:
    lines: list[str] = []
    loader = _Loader(kernel, profile, lines.append, unpack=unpack, memory=memory, keep_all=keep_all)
    outcome: KernelImage | KernelRefused
    try:
        outcome = loader.parse()
        check_width(outcome, profile, loader.words)
    except NotInExcerpt:
        return _parse(kernel, profile, unpack, memory, True)
    except KernelRefused as error:
        detail = error.detail
        if error.number == BOOT_FAILURE:
            loader.words.write("xc_dom_parse_image returned -1\n")
            name = "bzImage" if loader.payload else ""
            detail = loader.described(KernelImage(name, loader.payload)).detail
        outcome = KernelRefused(error.refusal, detail)
    return _Remembered(tuple(lines), outcome)


def parse_image(
    kernel: bytes,
    profile: Profile,
    log: Callable[[str], None],
    *,
    unpack: bool = True,
    memory: LoaderMemory | None = None,
) -> KernelImage:
    """Do with a kernel what PV-GRUB does at `boot`.

    kernel: the file as GRUB read it. profile: the PV-GRUB. log: takes each line that is printed. unpack: False
    checks headers and formats only, and leaves guest type and notes of bzImages unknown. memory: of whoever asks, where
    what is found is remembered by content: a second entry with the same kernel does not unpack it again. Raises
    KernelRefused.
    """
    remembered = (memory or LoaderMemory()).of(kernel)
    key = (profile, unpack)
    known: _Remembered | None = remembered.images.get(key)
    if known is None:
        known = remembered.images[key] = _parse(kernel, profile, unpack, remembered)
    for line in known.lines:
        log(line)
    if isinstance(known.outcome, KernelRefused):
        raise KernelRefused(known.outcome.refusal, known.outcome.detail)
    return known.outcome
