"""The root that a kernel line names, and the volume that it is."""

from __future__ import annotations

import re

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.root import has_system
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import Enum, NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.place import Place

_LINKS: Final = {"by-uuid": "UUID", "by-label": "LABEL", "by-partuuid": "PARTUUID", "by-partlabel": "PARTLABEL"}


class RootKind(Enum):
    """Ways to name a root."""

    TAG = "LABEL=, UUID= …"
    LINK = "a link below /dev/disk"
    DEVICE = "a device"
    MAPPED = "a device of LVM or the device mapper"
    OTHER = "something else"


class RootSpec(NamedTuple):
    """What `root=` says.

    text: its value. kind: of what. name: a device's name without `/dev/`, or the kind of tag. value: of the tag.
    """

    text: str
    kind: RootKind
    name: str = ""
    value: str = ""


def root_spec(start: Start) -> RootSpec | None:
    """The root that the kernel line names, None without one."""
    text = (start.argument("root") or "").strip('"')
    if not text:
        return None
    tagged = text.startswith(("LABEL", "UUID", "PART"))
    if tagged and (found := re.fullmatch(r'(LABEL|UUID|PARTUUID|PARTLABEL)="?([^"]+)"?', text)):
        return RootSpec(text, RootKind.TAG, *found.groups())
    if text.startswith("/dev/disk/") and (found := re.fullmatch(r"/dev/disk/(by-\w+)/(.+)", text)):
        kind = _LINKS.get(found[1])
        return RootSpec(text, RootKind.LINK, kind, found[2]) if kind else RootSpec(text, RootKind.OTHER)
    volume = text.count("/") > 2 and not text.startswith(("/dev/cciss/", "/dev/md/"))
    if volume and re.fullmatch(r"/dev/mapper/[^/]+|/dev/[\w.+-]+/[^/]+", text):
        return RootSpec(text, RootKind.MAPPED, text.removeprefix("/dev/"))
    if text.startswith("/dev/") and text.count("/") == 2:
        return RootSpec(text, RootKind.DEVICE, text.removeprefix("/dev/"))
    return RootSpec(text, RootKind.OTHER)


def root_place(case: Case, start: Start) -> Place | None:
    """The volume that a kernel is told to mount as its root; without a word, the only one with an operating system."""
    spec = root_spec(start)
    if spec is None:
        systems = [place for place in case.places if has_system(place)]
        return systems[0] if len(systems) == 1 else None
    if spec.kind in (RootKind.TAG, RootKind.LINK):
        return next((place for place in case.places if _is_tagged(case, place, spec)), None)
    if spec.kind is RootKind.DEVICE:
        from pvgrub_sim.findings.facts.devices import named_places

        return next((place for name, place in named_places(case, start) if name == spec.name), None)
    return None


def _is_tagged(case: Case, place: Place, spec: RootSpec) -> bool:
    return spec.value.casefold() in (text.casefold() for text in tags(case, place, spec.name))


def tags(case: Case, place: Place, kind: str) -> list[str]:
    """The labels or UUIDs of a volume. kind: LABEL, UUID, PARTLABEL or PARTUUID."""
    volume = place.volume
    if kind in ("LABEL", "UUID"):
        return [text for one in volume.contents if (text := one.label if kind == "LABEL" else one.uuid)]
    if kind == "PARTLABEL":
        return [volume.label] if volume.label else []
    if volume.guid or volume.number is None:
        return [volume.guid] if volume.guid else []
    # As Linux makes one for an MBR partition: the disk's signature and the number.
    return [f"{case.surveys[place.index].table.id.removeprefix('0x')}-{volume.number:02x}"]
