"""Byte layout of ELF files (System V ABI, chapters "Object Files" and "Program Loading"): offset and size of fields."""

from __future__ import annotations

MAGIC = b"\x7fELF"
EI_CLASS = 4
EI_DATA = 5
CLASS_64 = 2
DATA_LSB = 1
DATA_MSB = 2

EHDR32_SIZE = 52
EHDR64_SIZE = 64
SHDR32_SIZE = 40
SHDR64_SIZE = 64
NOTE_SIZE = 12
"""namesz, descsz, type: three words in both classes."""

PT_LOAD = 1
PT_NOTE = 4
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_NOTE = 7

EM_386 = 3
EM_ARM = 40
EM_IA_64 = 50
EM_X86_64 = 62

Fields = dict[str, tuple[int, int]]
"""Field: offset and size in bytes."""

EHDR32: Fields = {
    "e_machine": (18, 2),
    "e_entry": (24, 4),
    "e_phoff": (28, 4),
    "e_shoff": (32, 4),
    "e_ehsize": (40, 2),
    "e_phentsize": (42, 2),
    "e_phnum": (44, 2),
    "e_shentsize": (46, 2),
    "e_shnum": (48, 2),
    "e_shstrndx": (50, 2),
}
EHDR64: Fields = {
    "e_machine": (18, 2),
    "e_entry": (24, 8),
    "e_phoff": (32, 8),
    "e_shoff": (40, 8),
    "e_ehsize": (52, 2),
    "e_phentsize": (54, 2),
    "e_phnum": (56, 2),
    "e_shentsize": (58, 2),
    "e_shnum": (60, 2),
    "e_shstrndx": (62, 2),
}
PHDR32: Fields = {
    "p_type": (0, 4),
    "p_offset": (4, 4),
    "p_vaddr": (8, 4),
    "p_paddr": (12, 4),
    "p_filesz": (16, 4),
    "p_memsz": (20, 4),
    "p_flags": (24, 4),
    "p_align": (28, 4),
}
PHDR64: Fields = {
    "p_type": (0, 4),
    "p_flags": (4, 4),
    "p_offset": (8, 8),
    "p_vaddr": (16, 8),
    "p_paddr": (24, 8),
    "p_filesz": (32, 8),
    "p_memsz": (40, 8),
    "p_align": (48, 8),
}
SHDR32: Fields = {
    "sh_name": (0, 4),
    "sh_type": (4, 4),
    "sh_offset": (16, 4),
    "sh_size": (20, 4),
    "sh_link": (24, 4),
}
SHDR64: Fields = {
    "sh_name": (0, 4),
    "sh_type": (4, 4),
    "sh_offset": (24, 8),
    "sh_size": (32, 8),
    "sh_link": (40, 4),
}
NOTE: Fields = {"namesz": (0, 4), "descsz": (4, 4), "type": (8, 4)}
