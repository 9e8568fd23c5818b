"""A kernel as the loader accepts it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple


class KernelImage(NamedTuple):
    """A kernel that is accepted.

    loader: `multiboot-binary`, `bzImage` or `ELF`. payload: format of a bzImage's payload, `none` for an
    uncompressed one, "" for other files. size: of the unpacked kernel, in bytes, or None when it was not unpacked.
    bits: 64 or 32, the ELF class. notes: Xen's notes by name.
    """

    loader: str
    payload: str = ""
    guest_type: str = ""
    version: str = ""
    protocol: str = ""
    size: int | None = None
    bits: int | None = None
    start: int = 0
    end: int = 0
    entry: int = 0
    notes_from: str = ""
    notes: Mapping[str, str | int] = MappingProxyType({})

    @property
    def detail(self) -> dict[str, Any]:
        """What a report says of the kernel; what is not known is left out."""
        facts = {
            "loader": self.loader or None,
            "payload": self.payload or None,
            "guest_type": self.guest_type or None,
            "version": self.version or None,
            "boot_protocol": self.protocol or None,
            "unpacked_size": self.size,
            "elf_class": self.bits,
            "notes": dict(self.notes) or None,
        }
        return {name: value for name, value in facts.items() if value is not None}
