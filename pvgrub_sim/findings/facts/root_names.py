"""What is wrong with the name of a root device, as far as one can know."""

from __future__ import annotations

import re

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.devices import Naming, named_places, naming_of
from pvgrub_sim.findings.facts.root import has_system
from pvgrub_sim.findings.facts.root_spec import RootKind, RootSpec, tags
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.survey.result import ContentKind
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.place import Place

_ELSEWHERE: Final = (
    (r"vd[a-z]+\d*", "is a virtio disk, and a Xen guest has none"),
    (r"nvme\d.*", "is an NVMe disk, and a paravirtual guest has none"),
    (r"mmcblk\d.*", "is a memory card, and a Xen guest has none"),
    (r"(?:loop|nbd)\d.*", "is a device of the host on which the image was made"),
    (r"cciss/.*", "is a disk of a RAID controller, and a paravirtual guest has none"),
)
"""Names that no disk of a paravirtual guest has."""
_MADE_ON: Final = r"mapper/(?:loop|nbd)\d.*"
_CLASSIC_NAMES: Final = ("sd", "hd", "xvd")
_DISK: Final = r"(?:sd|hd|xvd)[a-z]{1,2}\d*"
_SILENT: Final = (r"/dev/(?:root|nfs|cifs|ram\d*|gpt-auto)", r"[^/].*", r"/dev/(?:disk|block)/.*")
"""What only the initrd or the kernel understands."""


class RootTrouble(NamedTuple):
    """What is wrong with a root: in words that go on behind its name, and whether that is sure."""

    why: str
    sure: bool = True


def root_trouble(case: Case, start: Start, spec: RootSpec) -> RootTrouble | None:
    """What is wrong with the root that a kernel is told, None where nothing is or nobody can know."""
    match spec.kind:
        case RootKind.LINK:
            return _link_trouble(case, spec)
        case RootKind.MAPPED:
            return _mapped_trouble(case, spec)
        case RootKind.DEVICE:
            return _device_trouble(case, start, spec)
        case RootKind.OTHER if not any(re.fullmatch(silent, spec.text) for silent in _SILENT):
            for pattern, why in _ELSEWHERE:
                if re.fullmatch(pattern, spec.text.removeprefix("/dev/")):
                    return RootTrouble(why)
            if not spec.text.startswith("/dev/"):
                return RootTrouble("is a path of the host on which the image was made, and no device")
    return None


def _link_trouble(case: Case, spec: RootSpec) -> RootTrouble | None:
    known = [text.casefold() for place in case.places for text in tags(case, place, spec.name)]
    if spec.value.casefold() in known or any(place.has(ContentKind.LVM) for place in case.places):
        return None
    return RootTrouble(f"is a {spec.name} that no filesystem of the disks given has")


def _mapped_trouble(case: Case, spec: RootSpec) -> RootTrouble | None:
    if re.fullmatch(_MADE_ON, spec.name):
        return RootTrouble("is a device of the host on which the image was made")
    kinds = (ContentKind.LVM, ContentKind.CRYPT, ContentKind.RAID)
    if any(place.has(kind) for place in case.places for kind in kinds):
        return None
    if any(place.reader is None for place in case.places if not place.volume.contents and place.volume.number):
        # A partition of which nothing is known may hold anything.
        return None
    return RootTrouble("is a volume of LVM or the device mapper, and none of the disks given has any")


def _device_trouble(case: Case, start: Start, spec: RootSpec) -> RootTrouble | None:
    if not spec.name.startswith(_CLASSIC_NAMES):
        for pattern, why in _ELSEWHERE:
            if re.fullmatch(pattern, spec.name):
                return RootTrouble(why)
    if spec.name.startswith("md") and re.fullmatch(r"md\d+.*", spec.name):
        raid = any(place.has(ContentKind.RAID) for place in case.places)
        return None if raid else RootTrouble("is a RAID, and none of the disks given is a part of one")
    naming = naming_of(start)
    if not re.fullmatch(_DISK, spec.name) or naming is Naming.UNKNOWN:
        return None
    places = dict(reversed([*named_places(case, start)]))
    if spec.name in places:
        return _wrong_volume(case, places[spec.name])
    kind = re.match(r"sd|hd|xvd", spec.name)
    assert kind is not None
    if naming is not Naming.CLASSIC and kind[0] != "xvd":
        return RootTrouble(f"is a name that this kernel ({start.release}) gives no disk of Xen's")
    return _not_attached(case, start, spec, naming, places)


def _not_attached(
    case: Case, start: Start, spec: RootSpec, naming: Naming, places: dict[str, Place]
) -> RootTrouble | None:
    disk = spec.name.rstrip("0123456789")
    if disk in {name for name, place in places.items() if place.whole}:
        return RootTrouble("is a partition that the disk does not have")
    if any(place.attached.assumed for place in case.places):
        letters = disk[-1:] in "ae"
        # How the image will be attached is not known, and the first disk may well have that name.
        return None if letters and spec.name[-1:] in "ae1" else RootTrouble("is on none of the disks given", False)
    if case.ami is not None and any(_same_disk(disk, device) for device in case.ami.block_devices):
        return None
    if naming is Naming.RHEL6 and start.argument("xen_blkfront.sda_is_xvda") is None:
        # modprobe.d in the initrd can set the parameter as well, which is not looked at.
        return RootTrouble("is not what RHEL 6's kernel calls any of the disks", spec.name[3:4] not in "abcd")
    attached = {name.rstrip("0123456789") for name in places}
    return RootTrouble("is on none of the disks given", bool(attached & {disk}) or _first(disk))


def _first(disk: str) -> bool:
    """The first disk, and what RHEL 6 calls it: an image that is asked about alone is that one."""
    return disk[-1] in "ae" and len(disk) <= 4


def _same_disk(disk: str, device: str) -> bool:
    return device.removeprefix("/dev/").rstrip("0123456789")[-1:] == disk[-1:]


def _wrong_volume(case: Case, place: Place) -> RootTrouble | None:
    """What is wrong with a volume that is there: nothing, unless it has no system, and another one has."""
    if place.whole and not place.volume.contents and case.surveys[place.index].partitions:
        return RootTrouble("is the whole disk, which has a partition table and no filesystem")
    others = [other for other in case.places if other is not place and has_system(other)]
    if not others or has_system(place):
        return None
    if place.filesystem is not None and place.reader is not None:
        return RootTrouble(f"is {place.device}, which holds no operating system, and {others[0].device} does")
    if place.has(ContentKind.SWAP):
        return RootTrouble(f"is {place.device}, which is swap")
    return None
