"""Why the loader refuses a kernel: causes as values, which rules decide by, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pvgrub_sim.typed import Any
from pvgrub_sim.values import Enum, NamedTuple

BOOT_FAILURE = 9
"""GRUB's ERR_BOOT_FAILURE: everything that libxenguest refuses."""
EXEC_FORMAT = 13
"""GRUB's ERR_EXEC_FORMAT: a good kernel of the wrong width."""


class Cause(Enum):
    """What the loader has against a kernel; value: GRUB's error number, and our words with places for values.

    CRASH has no error number: PV-GRUB does not outlive the kernel.
    """

    NO_LOADER = BOOT_FAILURE, "no loader of libxenguest knows this kind of file"
    PROTOCOL_TOO_OLD = BOOT_FAILURE, "boot protocol too old ({version:04x})"
    PAYLOAD_OFFSET = BOOT_FAILURE, "payload offset overflow"
    PAYLOAD_LENGTH = BOOT_FAILURE, "payload length overflow"
    PAYLOAD_UNKNOWN = BOOT_FAILURE, "unknown compression format"
    PAYLOAD_UNSUPPORTED = BOOT_FAILURE, "this PV-GRUB does not unpack {payload} payloads"
    PAYLOAD_NAME_ONLY = BOOT_FAILURE, "this PV-GRUB knows {payload} payloads by name, but cannot unpack them"
    LZ4_BROKEN = BOOT_FAILURE, "the lz4 decoder of this PV-GRUB is broken"
    PAYLOAD_DAMAGED = BOOT_FAILURE, "the {payload} payload does not unpack: it is damaged, cut short or unusual"
    PAYLOAD_TOO_LARGE = (
        BOOT_FAILURE,
        "the {payload} payload unpacks to more than what the kernel file leaves of the domain's {memory} MiB of memory",
    )
    ELF_DAMAGED = BOOT_FAILURE, "a damaged ELF: its header tables lie outside the file"
    NO_SECTION_NAMES = BOOT_FAILURE, "an ELF file without a table of section names, which this PV-GRUB wants"
    NO_NOTES = BOOT_FAILURE, "Not a Xen-ELF image: No ELF notes or '__xen_guest' section found"
    NOT_LINUX = (
        BOOT_FAILURE,
        "Will only load images built for the generic loader or Linux images (Not '{loader}' and '{guest_os}')",
    )
    NOT_XEN_3 = BOOT_FAILURE, "Xen will only load images built for Xen v3.0 (Not '{xen_version}')"
    UNKNOWN_FEATURE = BOOT_FAILURE, "an unknown feature is required"
    NO_VIRT_BASE = BOOT_FAILURE, "ELF_PADDR_OFFSET set, VIRT_BASE unset"
    OUT_OF_BOUNDS = BOOT_FAILURE, "ELF start or entries are out of bounds"
    P2M_OUT_OF_BOUNDS = BOOT_FAILURE, "P->M table base is out of bounds"
    DOM0_ONLY = BOOT_FAILURE, "Kernel does not support unprivileged (DomU) operation"
    UNKNOWN_MACHINE = BOOT_FAILURE, "a kernel for machine {machine}, neither x86-64 nor i386"
    NO_PAE = BOOT_FAILURE, "guest type {guest_type} not supported (a 32-bit kernel without PAE)"
    FLAT_TABLE = BOOT_FAILURE, "a Xen multiboot header with a fault: {fault}"
    CRASH = 0, "PV-GRUB dies: its loader reads memory that is not there, {distance} bytes from the kernel"
    WRONG_WIDTH = EXEC_FORMAT, "this PV-GRUB boots {wanted} only, and this is {guest_type}"
    NO_PAE_BY_PVGRUB = EXEC_FORMAT, "this PV-GRUB boots {wanted} only: {guest_type} is a 32-bit kernel without PAE"
    OTHER_MACHINE = EXEC_FORMAT, "this PV-GRUB boots {wanted} only: {guest_type} is for another machine"

    def __init__(self, number: int, words: str) -> None:
        self.number = number
        self.words = words

    @property
    def other_build(self) -> bool:
        """True for a kernel of the width of PV-GRUB's other build."""
        return self in (Cause.WRONG_WIDTH, Cause.NO_PAE_BY_PVGRUB)


NOTES_REFUSED = frozenset({Cause.NO_NOTES, Cause.NOT_LINUX, Cause.NOT_XEN_3})
"""The kernel's notes do not say that it is one for Xen."""


class Refusal(NamedTuple):
    """A cause with the values that its words name, such as `payload` or `version` (of the boot protocol)."""

    cause: Cause
    values: Mapping[str, str | int] = MappingProxyType({})

    @property
    def number(self) -> int:
        """GRUB's error number, 9 or 13, or 0 for a crash."""
        return self.cause.number

    @property
    def reason(self) -> str:
        """Why, in our words."""
        return self.cause.words.format(**self.values)


class KernelRefused(Exception):
    """The kernel does not boot, for the cause and the values of a refusal.

    detail: what is known of the kernel, as in KernelImage.detail.
    """

    def __init__(self, refusal: Refusal, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(refusal.number, refusal.reason)
        self.refusal = refusal
        self.detail = dict(detail or {})

    @property
    def cause(self) -> Cause:
        """Why."""
        return self.refusal.cause

    @property
    def number(self) -> int:
        """GRUB's error number, 9 or 13, or 0 for a crash."""
        return self.refusal.number

    @property
    def reason(self) -> str:
        """Why, in our words."""
        return self.refusal.reason


def refused(cause: Cause, **values: str | int) -> KernelRefused:
    """The exception for a cause and its values."""
    return KernelRefused(Refusal(cause, values))
