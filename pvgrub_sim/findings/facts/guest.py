"""What kind of guest a kernel of the menu is: what it tells Xen of itself in GUEST_OS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.release import release_key
from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.typed import Final
from pvgrub_sim.values import Enum, NamedTuple


class GuestKind(Enum):
    """Kinds of guests that say who they are, by the name that people know."""

    LINUX = "Linux"
    GRUB2 = "GRUB 2"
    MINI_OS = "Mini-OS"
    """Mini-OS and what is built on it: MirageOS, rumprun, PV-GRUB itself."""
    NETBSD = "NetBSD"
    FREEBSD = "FreeBSD"
    SOLARIS = "illumos or Solaris"
    OTHER = "another system"


class Guest(NamedTuple):
    """A kernel by what it tells Xen: its kind, the name (GUEST_OS) and version that it gives, and all its notes."""

    kind: GuestKind
    name: str
    version: str = ""
    notes: Mapping[str, str | int] = MappingProxyType({})


_KINDS: Final = (
    ("linux", GuestKind.LINUX),
    ("grub", GuestKind.GRUB2),
    ("mini-os", GuestKind.MINI_OS),
    ("netbsd", GuestKind.NETBSD),
    ("freebsd", GuestKind.FREEBSD),
    ("solaris", GuestKind.SOLARIS),
    ("illumos", GuestKind.SOLARIS),
)
"""How GUEST_OS begins, in small letters."""


HVC0: Final = "hvc0"
XVC0: Final = "xvc0"
_OLD_TREE: Final = release_key("2.6.9"), release_key("2.6.28")
"""Releases between which a kernel with `xen` in its name is one of XenSource's tree."""


def guest_of(case: Case, ref: FileRef) -> Guest | None:
    """The guest that a kernel line of the menu starts; None where it does not say.

    Sources: Linux arch/x86/xen/xen-head.S, GRUB 2 util/grub-mkimagexx.c (PACKAGE_NAME), mini-os arch/x86/x86_64.S,
    NetBSD sys/arch/amd64/amd64/locore.S, FreeBSD sys/i386/xen/locore.s, illumos usr/src/uts/i86xpv/ml/xenguest.s.
    """
    notes = _notes(case, ref)
    name = notes.get("GUEST_OS")
    if isinstance(name, str) and name:
        folded = name.casefold()
        kind = next((kind for begin, kind in _KINDS if folded.startswith(begin)), GuestKind.OTHER)
        return Guest(kind, name, str(notes.get("GUEST_VERSION") or notes.get("GUEST_VER") or ""), notes)
    if bzimage.is_bzimage(case.kernel_head(ref)):
        # Nobody else makes bzImages.
        return Guest(GuestKind.LINUX, "linux", notes=notes)
    return None


def is_linux(case: Case, ref: FileRef) -> bool:
    """True for a kernel that is Linux, as far as one can tell: rules about Linux speak of these only."""
    guest = guest_of(case, ref)
    return guest is not None and guest.kind is GuestKind.LINUX


def console_of(case: Case, ref: FileRef) -> str:
    """The name that the kernel of a menu's line gives the Xen console."""
    return console_named(case.kernel_head(ref), ref.path)


def console_named(head: bytes, path: str) -> str:
    """The name that a Linux gives the Xen console: `xvc0` in XenSource's tree of 2.6.18 and what was made of it.

    head: the kernel's first bytes. path: of its file. Source: linux-2.6.18-xen, drivers/xen/console/console.c; Linux
    since 2.6.28 has drivers/tty/hvc/hvc_xen.c alone.
    """
    told = bzimage.kernel_version(head) if bzimage.is_bzimage(head) else ""
    for release in (told.split(" ")[0], path.rpartition("/")[2].partition("-")[2]):
        if "xen" in release and _OLD_TREE[0] <= release_key(release) < _OLD_TREE[1]:
            return XVC0
    return HVC0


def _notes(case: Case, ref: FileRef) -> Mapping[str, str | int]:
    """Xen's notes of a kernel, as far as they are known without unpacking a bzImage anew."""
    tried = case.tried(ref)
    if tried is not None and not tried.error and ref.entry is case.booted:
        found: Mapping[str, str | int] = case.boot.kernel_detail.get("notes") or {}
        return found
    if tried is not None and tried.facts is not None:
        return tried.facts.notes
    if bzimage.is_bzimage(case.kernel_head(ref)):
        return {}
    # Only for what PV-GRUB never came to, and only for bare ELF files: they are read and not unpacked.
    from pvgrub_sim.findings.facts.kernels import whole
    from pvgrub_sim.xen.inspect import examine

    kernel = whole(ref.place, ref.path)
    return {} if kernel is None else examine(kernel, (), case.boot.memory).notes
