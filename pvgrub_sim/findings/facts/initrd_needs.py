"""What a kernel, and the root that it is told, want of an initrd."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.drivers import knowledge_of
from pvgrub_sim.findings.facts.initrds import given_formats
from pvgrub_sim.findings.facts.root_spec import RootKind, root_spec
from pvgrub_sim.findings.facts.starts import Start, version_of
from pvgrub_sim.survey.result import ContentKind
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.initramfs.contents import Contents

KNOWN_SINCE: Final = {
    # Commit 30d65dbfe3ad, "bzip2/lzma: config and initramfs support for bzip2/lzma decompression".
    "bzip2": (2, 6, 30),
    "lzma": (2, 6, 30),
    # Commit 7dd65feb6c60, "lib: add support for LZO-compressed kernels", without which there can be none.
    "lzo": (2, 6, 33),
    # "Decompressors: add boot-time XZ support", sent to the list for what came after 2.6.37-rc4.
    "xz": (2, 6, 38),
    # Commit e76e1fdfa8f8, "lib: add support for LZ4-compressed kernel".
    "lz4": (3, 11, 0),
    # Commit a30d8a39f057, "usr: Add support for zstd compressed initramfs".
    "zstd": (5, 9, 0),
}
"""The Linux that first unpacked an initrd of a format, with what brought it."""
_PROGRAMS: Final = (
    (ContentKind.LVM, "LVM", ("lvm", "lvm.static", "vgchange", "nash")),
    (ContentKind.CRYPT, "LUKS", ("cryptsetup", "systemd-cryptsetup")),
)
_RAID_PROGRAMS: Final = ("mdadm", "mdassemble", "dmraid", "nash")


class NotUnpacked(NamedTuple):
    """A format that a kernel does not unpack: why, in words, and whether that is sure."""

    format: str
    why: str
    sure: bool


def not_unpacked(case: Case, start: Start, contents: Contents) -> Iterator[NotUnpacked]:
    """The formats of an initrd that its kernel does not unpack."""
    formats = given_formats(start.initrd, contents) if start.initrd else frozenset()
    if not formats:
        return
    config = knowledge_of(case, start, contents).config
    told = any(name.startswith("CONFIG_RD_") for name in config)
    version = version_of(start.release)
    for form in sorted(formats):
        option = f"CONFIG_RD_{form.upper()}"
        if told and option not in config:
            yield NotUnpacked(form, f"which this kernel is built without: {option} is not set", True)
        elif not told and version and version < KNOWN_SINCE.get(form, ()):
            since = ".".join(str(part) for part in KNOWN_SINCE[form]).removesuffix(".0")
            yield NotUnpacked(form, f"which Linux unpacks since {since}, and this kernel is {start.release}", False)


def missing_programs(case: Case, start: Start, contents: Contents | None) -> Iterator[str]:
    """What is not there by which the kernel would get at a root in LVM, LUKS or RAID, in words."""
    spec = root_spec(start)
    if spec is None:
        return
    programs = contents.programs if contents else frozenset()
    where = f"the initrd {start.initrd.path} has" if start.initrd else f"{start.entry.name} has no initrd, and so"
    if spec.kind is RootKind.MAPPED:
        there = [row for row in _PROGRAMS if any(place.has(row[0]) for place in case.places)]
        # LVM inside of LUKS wants both, and which of them the name is of is not known then.
        if len(there) == 1 and not programs & set(there[0][2]):
            _, words, names = there[0]
            yield f"The root {spec.text} is in {words}, and {where} no program for it ({names[0]})."
    elif spec.kind is RootKind.DEVICE and spec.name.startswith("md"):
        raid = any(place.has(ContentKind.RAID) for place in case.places)
        if raid and not programs & set(_RAID_PROGRAMS):
            yield f"The root {spec.text} is a RAID, and {where} no program for it (mdadm)."
