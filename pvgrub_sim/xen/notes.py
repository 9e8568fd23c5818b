"""What a kernel tells Xen about itself, and whether libelf accepts it (xen/common/libelf/libelf-dominfo.c)."""

from __future__ import annotations

from struct import Struct

from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.ondisk.xen_notes import NAMES, STRINGS, NoteType
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.elf import ElfImage, end_with_bsd_symbols, memory_range
from pvgrub_sim.xen.refusal import Cause, Refusal
from pvgrub_sim.xen.xen_info import STRING_KEPT, UNSET, UNSET_32, XenInfo, parse_features

WRAP = (1 << 64) - 1
NOTE_CHECK = "elf_xen_note_check"
ADDRESS_CHECK = "elf_xen_addr_calc_check"
_TYPES = {kind.value: kind for kind in NoteType}
_LITTLE, _BIG = Struct("<3I"), Struct(">3I")
MAX_NOTES = 65536
"""libelf.h ELF_MAX_TOTAL_NOTE_COUNT."""


class NotAXenKernel(Exception):
    """libelf refuses the image; a silent probe shows nothing of its message.

    function: where libelf says so, or "" where it says nothing.
    """

    def __init__(self, refusal: Refusal, function: str = "") -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.function = function


class _Head(NamedTuple):
    """A note's header: sizes of its name and its descriptor in bytes, and its type."""

    namesz: int
    descsz: int
    type: int

    @property
    def length(self) -> int:
        """Of the name and the descriptor, in bytes, as they are padded."""
        return (self.namesz + 3 & 0xFFFFFFFC) + (self.descsz + 3 & 0xFFFFFFFC)


def _take_note(elf: ElfImage, note: int, head: _Head, info: XenInfo) -> None:
    """Take in one note named Xen (elf_xen_parse_note); raises NotAXenKernel for its features."""
    kind = _TYPES.get(head.type)
    if kind is None:
        return
    size = head.descsz
    descriptor = note + layout.NOTE_SIZE + (head.namesz + 3 & 0xFFFFFFFC)
    number, text = 0, b""
    if kind in STRINGS:
        found = elf.string(descriptor)
        if found is None:
            return
        text = found
        info.values[kind.name] = text.decode("utf-8", "backslashreplace")
    elif kind in NAMES:
        info.values[kind.name] = ""
    else:
        number = elf.unsigned(descriptor, size) if size in {1, 2, 4, 8} else 0
        info.values[kind.name] = number
    if kind is NoteType.SUPPORTED_FEATURES:
        if size and size % 4 == 0:
            info.supported |= elf.unsigned(descriptor, 4)
    elif kind is NoteType.FEATURES:
        if not parse_features(text, info, elf.loader):
            raise NotAXenKernel(Refusal(Cause.UNKNOWN_FEATURE))
    else:
        _set(info, kind, number, text)


def _set(info: XenInfo, kind: NoteType, number: int, text: bytes) -> None:
    """Take over what a note says, a number or a text."""
    match kind:
        case NoteType.LOADER:
            info.loader = text[:STRING_KEPT]
        case NoteType.GUEST_OS:
            info.guest_os = text[:STRING_KEPT]
        case NoteType.XEN_VERSION:
            info.xen_version = text[:STRING_KEPT]
        case NoteType.PAE_MODE:
            # QUIRK: exactly "yes", so `yes[extended-cr3]` counts for nothing here.
            if text == b"yes":
                info.pae = "extended-cr3"
            if b"bimodal" in text:
                info.pae = "bimodal"
        case NoteType.BSD_SYMTAB:
            info.bsd_symtab = info.bsd_symtab or text == b"yes"
        case NoteType.VIRT_BASE:
            info.virt_base = number
        case NoteType.ENTRY:
            info.virt_entry = number
        case NoteType.INIT_P2M:
            info.p2m_base = number
        case NoteType.PADDR_OFFSET:
            info.paddr_offset = number
        case NoteType.PHYS32_ENTRY:
            info.phys_entry = number & UNSET_32


def _take_notes(elf: ElfImage, place: tuple[int, int], info: XenInfo, budget: list[int]) -> int:
    """Take in the notes of one segment or section (elf_xen_parse_notes); returns how many were Xen's.

    place: pointers to its start and end. budget: one number, how many notes may still be looked at.
    """
    start, end = place
    info.has_note_segment = start != 0
    found = 0
    note = start
    while note < end and budget[0]:
        budget[0] -= 1
        # QUIRK: the name ends at its NUL, whatever namesz says.
        begin = _begin(elf, note)
        if begin:
            head = _Head._make((_BIG if elf.swapped else _LITTLE).unpack_from(begin))
            named = begin[layout.NOTE_SIZE :] == b"Xen\0"
        else:
            named = elf.string(note + layout.NOTE_SIZE) == b"Xen"
            kind = elf.field(layout.NOTE, "type", note) if named else 0
            head = _Head(elf.field(layout.NOTE, "namesz", note), elf.field(layout.NOTE, "descsz", note), kind)
        if named:
            _take_note(elf, note, head, info)
            found += 1
        following = (note + layout.NOTE_SIZE + head.length) & elf.mask
        # QUIRK: where libelf is not bounded, notes that lead back to themselves have no end; for us they have.
        if following <= note or (elf.loader.bounded and not elf.readable(note)):
            break
        note = following
    return found


def _begin(elf: ElfImage, note: int) -> bytes:
    """The header of a note and the first four bytes of its name; none where they are not all in the image."""
    pointer = note & elf.mask
    size = layout.NOTE_SIZE + 4
    if not elf.readable(pointer, size):
        return b""
    raw = elf.data.read(pointer - elf.base, size)
    return raw if len(raw) == size else b""


def read_xen_info(elf: ElfImage) -> XenInfo:
    """What the image says to Xen, unchecked; raises NotAXenKernel for a feature in a note that its loader refuses."""
    info = XenInfo()
    budget = [MAX_NOTES]
    found = 0
    for segment in elf.segments():
        # QUIRK: old binutils wrote note segments at offset 0; these are passed over.
        if elf.field(elf.phdr, "p_type", segment) == layout.PT_NOTE and elf.field(elf.phdr, "p_offset", segment):
            found += _take_notes(elf, (elf.segment_start(segment), elf.segment_end(segment)), info, budget)
    if not found:
        for section in elf.sections():
            if elf.field(elf.shdr, "sh_type", section) == layout.SHT_NOTE:
                found += _take_notes(elf, (elf.section_start(section), elf.section_end(section)), info, budget)
    if found:
        info.source = "notes"
    elif section := elf.section_by_name(b"__xen_guest"):
        # Kernels of before 2006.
        from pvgrub_sim.xen.guest_section import take_guest_section

        info.source = "__xen_guest"
        info.has_note_segment = False
        take_guest_section(elf, elf.section_start(section), info)
    return info


def check_xen_info(elf: ElfImage, info: XenInfo) -> None:
    """libelf's checks; sets info.start and info.end. Raises NotAXenKernel (elf_xen_note_check and what follows it)."""
    machine = elf.header("e_machine")
    if not info.has_note_segment and info.source != "__xen_guest":
        # QUIRK: without a word to Xen only the two machines of PCs are refused here.
        if machine in {layout.EM_386, layout.EM_X86_64}:
            raise NotAXenKernel(Refusal(Cause.NO_NOTES), NOTE_CHECK)
    elif (machine == layout.EM_ARM and elf.loader.skips_arm) or (
        info.phys_entry != UNSET_32 and elf.loader.phys32_is_enough
    ):
        pass
    else:
        if not info.loader.startswith(b"generic") and not info.guest_os.startswith(b"linux"):
            names = {"loader": info.loader.decode("latin-1"), "guest_os": info.guest_os.decode("latin-1")}
            raise NotAXenKernel(Refusal(Cause.NOT_LINUX, names), NOTE_CHECK)
        if not info.xen_version.startswith(b"xen-3.0"):
            raise NotAXenKernel(
                Refusal(Cause.NOT_XEN_3, {"xen_version": info.xen_version.decode("latin-1")}), NOTE_CHECK
            )
    _check_addresses(elf, info)


def _check_addresses(elf: ElfImage, info: XenInfo) -> None:
    if info.paddr_offset != UNSET and info.virt_base == UNSET:
        raise NotAXenKernel(Refusal(Cause.NO_VIRT_BASE), ADDRESS_CHECK)
    if info.virt_base == UNSET:
        info.virt_base = 0
    if info.paddr_offset == UNSET:
        # Kernels with `__xen_guest` were linked at their virtual addresses.
        info.paddr_offset = 0 if info.has_note_segment else info.virt_base
    offset = (info.virt_base - info.paddr_offset) & WRAP
    low, high = memory_range(elf)
    info.start, info.end = (low + offset) & WRAP, (high + offset) & WRAP
    if info.virt_entry == UNSET:
        info.virt_entry = elf.header("e_entry")
    symtab_from = info.end if elf.loader.symtab_from == "virtual" else high
    if info.bsd_symtab and (end := end_with_bsd_symbols(elf, symtab_from)):
        info.end = (end + offset) & WRAP
    if not info.virt_base <= info.start <= info.virt_entry <= info.end:
        raise NotAXenKernel(Refusal(Cause.OUT_OF_BOUNDS), ADDRESS_CHECK)
    if info.p2m_base != UNSET and info.start <= info.p2m_base < info.end:
        raise NotAXenKernel(Refusal(Cause.P2M_OUT_OF_BOUNDS), ADDRESS_CHECK)
