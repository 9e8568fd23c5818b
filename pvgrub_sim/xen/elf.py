"""ELF files as Xen's libelf reads them: nothing is an error, what lies outside the image reads as zero."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.profiles.loaders import V4_17, Loader
from pvgrub_sim.xen.excerpt import Source
from pvgrub_sim.xen.refusal import Cause, refused

WRAP = (1 << 64) - 1
MAPPED = 1 << 30
"""Bytes from the image in which a domain's memory may go on; farther away a read is a fault."""
MAX_STRING = 4096
"""libelf.h ELF_MAX_STRING_LENGTH: a longer string does not exist."""


class ElfImage:
    """Access to an ELF image by pointers, with libelf's arithmetic (libelf-tools.c, libelf.h).

    data: what the bytes are read from. size: how large libelf takes the image to be, in bytes; behind the data
    there are zeros (libxc unpacks gzip into a zeroed buffer that is too large). bits: width of PV-GRUB's pointers.
    loader: whose libelf it is; what one that is not bounded reads outside of the image is zeros here, for what it
    would find in Mini-OS's memory is not known.

    A pointer is an absolute address with an assumed place of the image, for sums of hostile offsets wrap around
    at the width of a pointer and are compared as they come out.
    """

    __slots__ = (
        *("base", "data", "ehdr", "is64", "loader", "mask", "phdr", "section_names", "shdr", "size", "swapped"),
        "symtab",
    )

    def __init__(self, data: Source, size: int, bits: int = 64, loader: Loader = V4_17) -> None:
        self.data = data
        self.size = size
        self.loader = loader
        self.mask = (1 << bits) - 1
        self.base = 0x7F00_0000_0000 if bits == 64 else 0x5700_0000
        ident = data.read(0, 16)
        self.is64 = ident[layout.EI_CLASS] == layout.CLASS_64
        # Any other value, 0 included, means the other byte order.
        self.swapped = ident[layout.EI_DATA] != layout.DATA_LSB
        self.ehdr = layout.EHDR64 if self.is64 else layout.EHDR32
        self.phdr = layout.PHDR64 if self.is64 else layout.PHDR32
        self.shdr = layout.SHDR64 if self.is64 else layout.SHDR32
        self.section_names = 0
        self.symtab = 0

    @property
    def big_endian(self) -> bool:
        """True when the file says so."""
        return self.data.read(layout.EI_DATA, 1) == bytes([layout.DATA_MSB])

    def readable(self, pointer: int, count: int = 1) -> bool:
        """True when count bytes at a pointer lie in the image (libelf-tools.c:elf_access_ok)."""
        at = pointer - self.base
        return 0 <= at <= self.size and count <= self.size - at

    def unsigned(self, pointer: int, count: int) -> int:
        """The number of count bytes at a pointer; 0 outside the image."""
        pointer &= self.mask
        at = pointer - self.base
        if not self.readable(pointer, count):
            self._fault(at)
            return 0
        raw = self.data.read(at, count)
        if len(raw) < count:
            raw += bytes(count - len(raw))
        return int.from_bytes(raw, "big" if self.swapped else "little")

    def field(self, fields: layout.Fields, name: str, pointer: int) -> int:
        """A field of the structure at a pointer."""
        offset, count = fields[name]
        return self.unsigned(pointer + offset, count)

    def header(self, name: str) -> int:
        """A field of the ELF header."""
        return self.field(self.ehdr, name, self.base)

    def _fault(self, at: int) -> None:
        """Raise KernelRefused where an unbounded libelf reads at an offset at which no memory can be."""
        if not self.loader.bounded and not -MAPPED <= at <= self.size + MAPPED:
            raise refused(Cause.CRASH, distance=at - self.size if at > 0 else -at)

    def string(self, pointer: int) -> bytes | None:
        """The NUL-terminated string at a pointer; None when it leaves the image or is longer than 4096 bytes."""
        pointer &= self.mask
        at = pointer - self.base
        if not self.readable(pointer):
            self._fault(at)
            return None if self.loader.bounded else b""
        # The first 4096 characters may be anything, then the NUL must come.
        raw = self.data.read(at, MAX_STRING + 1)
        if len(raw) <= MAX_STRING and at + len(raw) < self.size:
            raw += b"\0"
        end = raw.find(b"\0")
        if not self.loader.bounded:
            return raw[:end] if end >= 0 else raw
        return None if end < 0 or at + end >= self.size else raw[:end]

    # --- headers

    @property
    def section_count(self) -> int:
        """Section headers, at most as many as could lie in the image, if libelf is bounded."""
        if not self.loader.bounded:
            return self.header("e_shnum")
        return min(self.header("e_shnum"), self.size // layout.SHDR32_SIZE, 0xFFFFFFFF)

    def section_pointer(self, index: int) -> int:
        """Where a section header is; 0 for an index beyond the last one."""
        if index >= self.section_count:
            return 0
        return (self.base + self.header("e_shoff") + self.header("e_shentsize") * index) & self.mask

    def sections(self) -> Iterator[int]:
        """Pointers to the section headers, from the loader's first on up to the first one outside the image."""
        first, step = self.base + self.header("e_shoff"), self.header("e_shentsize")
        for index in range(self.loader.first_section, self.section_count):
            pointer = (first + step * index) & self.mask
            if self.loader.bounded and not self.readable(pointer):
                return
            yield pointer

    def segments(self) -> Iterator[int]:
        """Pointers to all program headers, up to the first one outside the image."""
        first, step = self.base + self.header("e_phoff"), self.header("e_phentsize")
        for index in range(self.header("e_phnum")):
            pointer = (first + step * index) & self.mask
            if self.loader.bounded and not self.readable(pointer):
                return
            yield pointer

    def section_start(self, section: int) -> int:
        """Where a section's content begins."""
        return (self.base + self.field(self.shdr, "sh_offset", section)) & self.mask

    def section_end(self, section: int) -> int:
        """Where a section's content ends."""
        return (self.section_start(section) + self.field(self.shdr, "sh_size", section)) & self.mask

    def segment_start(self, segment: int) -> int:
        """Where a segment's content begins."""
        return (self.base + self.field(self.phdr, "p_offset", segment)) & self.mask

    def segment_end(self, segment: int) -> int:
        """Where a segment's content ends."""
        return (self.segment_start(segment) + self.field(self.phdr, "p_filesz", segment)) & self.mask

    def section_by_name(self, name: bytes) -> int:
        """The first section header with that name, or 0."""
        if not self.section_names:
            return 0
        for section in self.sections():
            if self.string(self.section_names + self.field(self.shdr, "sh_name", section)) == name:
                return section
        return 0


def is_elf(data: Source, size: int) -> bool:
    """True for at least 52 bytes that begin with the ELF magic (libelf-tools.c:elf_is_elfbinary)."""
    return size >= layout.EHDR32_SIZE and data.read(0, 4) == layout.MAGIC


class ElfDamaged(Exception):
    """A header table does not end inside the image. table: `phdr` or `shdr`; end: where it would end, in bytes."""

    def __init__(self, table: str, end: int) -> None:
        super().__init__(table, end)
        self.table = table
        self.end = end


def open_elf(data: Source, size: int, bits: int = 64, loader: Loader = V4_17) -> ElfImage:
    """An ELF image whose header tables end inside it (libelf-loader.c:elf_init); is_elf() must be true for it.

    bits, loader: as for ElfImage. Raises ElfDamaged.
    """
    elf = ElfImage(data, size, bits, loader)
    # QUIRK: these sums wrap at 64 bits, so an offset just below 2^64 passes.
    end = (elf.header("e_phoff") + elf.header("e_phentsize") * elf.header("e_phnum")) & WRAP
    if end > size:
        raise ElfDamaged("phdr", end)
    end = (elf.header("e_shoff") + elf.header("e_shentsize") * elf.section_count) & WRAP
    if end > size:
        raise ElfDamaged("shdr", end)
    if names := elf.section_pointer(elf.header("e_shstrndx")):
        elf.section_names = elf.section_start(names)
    elf.symtab = _symbol_table(elf)
    return elf


def _symbol_table(elf: ElfImage) -> int:
    """The header of the symbol table whose string table there is, or 0."""
    count = elf.section_count
    for section in elf.sections():
        if elf.field(elf.shdr, "sh_type", section) == layout.SHT_SYMTAB:
            link = elf.field(elf.shdr, "sh_link", section)
            if elf.loader.symtab_size == "every-table":
                # Any that names a section will do, number 0 too, and other tables are looked at when it does not.
                if link < count:
                    return section
            else:
                return section if 0 < link < count else 0
    return 0


def memory_range(elf: ElfImage) -> tuple[int, int]:
    """First and end address of the loadable segments (libelf-loader.c:elf_parse_binary); (2^64 - 1, 0) without any."""
    low, high = WRAP, 0
    for segment in elf.segments():
        flags = elf.field(elf.phdr, "p_flags", segment)
        if elf.field(elf.phdr, "p_type", segment) == layout.PT_LOAD and flags & 7:
            start = elf.field(elf.phdr, "p_paddr", segment)
            end = (start + elf.field(elf.phdr, "p_memsz", segment)) & WRAP
            low, high = min(low, start), max(high, end)
    return low, high


def end_with_bsd_symbols(elf: ElfImage, end: int) -> int:
    """The end address when the BSD symbol table is loaded behind the kernel (libelf-loader.c:elf_parse_bsdsyms).

    end: where it is taken to begin. Returns 0 where libelf leaves the end alone.
    """
    if not elf.symtab:
        return 0
    unit = 8 if elf.is64 else 4

    def rounded(value: int) -> int:
        return (value + unit - 1) & WRAP & ~(unit - 1)

    declared = elf.header("e_ehsize"), elf.header("e_shentsize")
    if elf.loader.symtab_size == "every-table":
        size = rounded(4 + declared[0] + elf.section_count * declared[1])
        for section in elf.sections():
            if elf.field(elf.shdr, "sh_type", section) in {layout.SHT_SYMTAB, layout.SHT_STRTAB}:
                size = rounded(size + elf.field(elf.shdr, "sh_size", section))
        return (rounded(end) + size) & WRAP
    if elf.loader.symtab_size == "declared":
        size = 4 + declared[0] + 3 * declared[1]
    else:
        # One word, libelf's structure up to its section headers (a word and the larger ELF header), three of them.
        size = 4 + 4 + layout.EHDR64_SIZE + 3 * (layout.SHDR64_SIZE if elf.is64 else layout.SHDR32_SIZE)
    size = rounded(rounded(size) + elf.field(elf.shdr, "sh_size", elf.symtab))
    strings = elf.section_pointer(elf.field(elf.shdr, "sh_link", elf.symtab))
    if not elf.readable(strings) or elf.field(elf.shdr, "sh_type", strings) != layout.SHT_STRTAB:
        return 0
    size = rounded(size + elf.field(elf.shdr, "sh_size", strings))
    return (rounded(end) + size) & WRAP
