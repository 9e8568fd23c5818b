"""What a kernel says to Xen, as values (libelf.h:struct elf_dom_parms)."""

from __future__ import annotations

from pvgrub_sim.ondisk.xen_notes import DOM0_BIT, FEATURES
from pvgrub_sim.profiles.loaders import V4_17, Loader

UNSET = (1 << 64) - 1
UNSET_32 = 0xFFFFFFFF
FEATURE_LENGTH = 63
STRING_KEPT = 15
"""Characters of GUEST_OS, LOADER and XEN_VERSION that are kept."""


class XenInfo:
    """What the notes, or the section `__xen_guest`, say (libelf.h:struct elf_dom_parms).

    pae: `no`, `yes`, `extended-cr3` or `bimodal`. values: every value read, under its note's name.
    source: `notes` or `__xen_guest`, or "" when there is neither.
    """

    guest_os: bytes = b""
    loader: bytes = b""
    xen_version: bytes = b""
    pae: str = "no"
    bsd_symtab: bool = False
    virt_base: int = UNSET
    virt_entry: int = UNSET
    paddr_offset: int = UNSET
    p2m_base: int = UNSET
    supported: int = 0
    required: int = 0
    start: int = 0
    end: int = 0
    source: str = ""
    has_note_segment: bool = False
    phys_entry: int = UNSET_32

    def __init__(self) -> None:
        self.values: dict[str, str | int] = {}

    def copy(self) -> XenInfo:
        """The same, for somebody who changes it; `values` are shared."""
        other = XenInfo()
        other.__dict__.update(self.__dict__)
        return other

    @property
    def needs_dom0(self) -> bool:
        """True when the kernel can only be a dom0."""
        return bool(self.required >> DOM0_BIT & 1)


def parse_features(text: bytes, info: XenInfo, loader: Loader = V4_17) -> bool:
    """Take in a FEATURES string; False when it has one that the loader refuses (elf_xen_parse_features)."""
    position = 0
    while position < len(text):
        # QUIRK: a name is cut at 63 characters and the rest of it taken for the next name.
        bar = text.find(b"|", position, position + FEATURE_LENGTH)
        end = bar if bar >= 0 else min(position + FEATURE_LENGTH, len(text))
        name = text[position:end]
        position = end + 1 if bar >= 0 else end
        required = name.startswith(b"!")
        word = (name[1:] if required else name).decode("latin-1")
        bit = FEATURES[word] if word in loader.features else None
        if loader.strict_features and bit is None:
            return False
        if bit is not None:
            info.supported |= 1 << bit
            if required:
                info.required |= 1 << bit
        elif required:
            return False
    return True
