"""Xen's ELF notes and feature names (Xen, xen/include/public/elfnote.h and features.h)."""

from __future__ import annotations

from pvgrub_sim.values import IntEnum


class NoteType(IntEnum):
    """Numbers of the notes named `Xen` that libelf knows; any other is ignored."""

    ENTRY = 1
    HYPERCALL_PAGE = 2
    VIRT_BASE = 3
    PADDR_OFFSET = 4
    XEN_VERSION = 5
    GUEST_OS = 6
    GUEST_VERSION = 7
    LOADER = 8
    PAE_MODE = 9
    FEATURES = 10
    BSD_SYMTAB = 11
    HV_START_LOW = 12
    L1_MFN_VALID = 13
    SUSPEND_CANCEL = 14
    INIT_P2M = 15
    MOD_START_PFN = 16
    SUPPORTED_FEATURES = 17
    PHYS32_ENTRY = 18
    PHYS32_RELOC = 19


STRINGS = frozenset(
    {
        NoteType.XEN_VERSION,
        NoteType.GUEST_OS,
        NoteType.GUEST_VERSION,
        NoteType.LOADER,
        NoteType.PAE_MODE,
        NoteType.FEATURES,
        NoteType.BSD_SYMTAB,
    }
)
"""Notes whose descriptor is a string."""
NAMES = frozenset({NoteType.L1_MFN_VALID, NoteType.PHYS32_RELOC})
"""Notes whose descriptor is neither a string nor one number."""

FEATURES = {
    "writable_page_tables": 0,
    "writable_descriptor_tables": 1,
    "auto_translated_physmap": 2,
    "supervisor_mode_kernel": 3,
    "pae_pgdir_above_4gb": 4,
    "hvm_callback_vector": 8,
    "dom0": 11,
}
"""Feature name and bit: the ones that libelf knows by name (libelf-dominfo.c)."""
DOM0_BIT = 11
