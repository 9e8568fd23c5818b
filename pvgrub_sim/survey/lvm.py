"""LVM2 physical volumes: which volume group they belong to and what logical volumes it has."""

from __future__ import annotations

import re

from pvgrub_sim.survey.area import Area, Damaged, text_of
from pvgrub_sim.survey.result import Content, ContentKind
from pvgrub_sim.typed import Any, Final

SECTOR_SIZE: Final = 512
LONGEST_TEXT: Final = 8 << 20
MOST_AREAS: Final = 16
DEEPEST: Final = 12

_TOKEN: Final = r'\s+|#[^\n]*|"((?:[^"\\]|\\.)*)"|([\w.+-]+)|([{}=\[\],])'
_CLOSING: Final = "}"

Value = str | int | list[Any] | dict[str, Any]


def read(area: Area, label_at: int) -> Content:
    """The physical volume whose label is at a byte of an area."""
    from construct import ConstructError

    from pvgrub_sim.ondisk import lvm

    problems: list[str] = []
    uuid = ""
    size = None
    group: dict[str, Any] = {}
    try:
        label = lvm.LABEL.parse(area.read(label_at, lvm.LABEL.sizeof()))
        at = label_at + label.offset
        header = lvm.PV_HEADER.parse(area.read(at, lvm.PV_HEADER.sizeof()))
        if not header.uuid.isalnum():
            raise Damaged("the label is there, but no header of a physical volume behind it")
        uuid, size = _dashed(header.uuid.decode("ascii")), header.device_size
        at += lvm.PV_HEADER.sizeof()
        _data, at = _locations(area, at)
        metadata, at = _locations(area, at)
        for place, _length in metadata:
            text = _metadata_text(area, place)
            if text:
                group = _summary(parse_text(text))
                break
    except (Damaged, ConstructError) as error:
        problems.append(f"LVM2: {' '.join(str(error).split())}")
    if not group and not problems:
        problems.append("no volume group: the physical volume is not in use, or its metadata is kept elsewhere")
    return Content(
        ContentKind.LVM,
        "LVM2_member",
        "LVM2 001",
        label=str(group.get("volume_group", "")),
        uuid=uuid,
        size=size or None,
        detail=group,
        problems=tuple(problems),
    )


def _locations(area: Area, at: int) -> tuple[list[tuple[int, int]], int]:
    """A list of (offset, size) in bytes that ends with zeros, and the offset behind it."""
    from pvgrub_sim.ondisk.lvm import DISK_LOCATION

    found: list[tuple[int, int]] = []
    for _ in range(MOST_AREAS):
        entry = DISK_LOCATION.parse(area.read(at, DISK_LOCATION.sizeof()))
        at += DISK_LOCATION.sizeof()
        if entry.offset == 0:
            return found, at
        found.append((entry.offset, entry.size))
    raise Damaged(f"more than {MOST_AREAS} areas")


def _metadata_text(area: Area, place: int) -> str:
    """The newest metadata of an area, which may wrap around; empty when it holds none."""
    from pvgrub_sim.ondisk import lvm

    header = lvm.MDA_HEADER.parse(area.read(place, lvm.MDA_HEADER.sizeof()))
    where = header.location
    if not where.offset or where.flags & lvm.RAW_LOCATION_IGNORED:
        return ""
    if where.size > LONGEST_TEXT or where.offset >= header.size:
        raise Damaged(f"metadata of {where.size} bytes")
    straight = min(where.size, header.size - where.offset)
    raw = area.read(header.start + where.offset, straight)
    if straight < where.size:
        raw += area.read(header.start + lvm.MDA_HEADER_SIZE, where.size - straight)
    return text_of(raw)


def parse_text(text: str) -> dict[str, Value]:
    """LVM2's configuration text as nested dicts, lists, strings and numbers; raises Damaged.

    Grammar: lvm.conf(5), `section { key = value … }`.
    """
    token = re.compile(_TOKEN)
    tokens = []
    at = 0
    while at < len(text):
        match = token.match(text, at)
        if match is None:
            raise Damaged(f"metadata is not understood at character {at}")
        at = match.end()
        if match.lastindex:
            tokens.append((match.lastindex, match[match.lastindex]))
    tokens.reverse()
    return _section(tokens, 0)


def _section(tokens: list[tuple[int, str]], depth: int) -> dict[str, Value]:
    if depth > DEEPEST:
        raise Damaged("metadata is nested too deeply")
    found: dict[str, Value] = {}
    while tokens:
        kind, key = tokens.pop()
        if kind == 3 and key == _CLOSING:
            return found
        if kind == 3 or not tokens:
            raise Damaged(f"metadata: {key!r} where a name belongs")
        _, sign = tokens.pop()
        if sign == "{":
            found[key] = _section(tokens, depth + 1)
        elif sign == "=":
            found[key] = _value(tokens)
        else:
            raise Damaged(f"metadata: {sign!r} behind {key!r}")
    return found


def _value(tokens: list[tuple[int, str]]) -> Value:
    if not tokens:
        raise Damaged("metadata ends within a value")
    kind, text = tokens.pop()
    if kind == 1:
        return re.sub(r"\\(.)", r"\1", text)
    if kind == 2:
        return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text
    if text != "[":
        raise Damaged(f"metadata: {text!r} where a value belongs")
    found: list[Any] = []
    while tokens:
        if tokens[-1][0] == 3 and tokens[-1][1] in ",]":
            if tokens.pop()[1] == "]":
                return found
            continue
        if tokens[-1] == (3, "["):
            raise Damaged("metadata: a list within a list")
        found.append(_value(tokens))
    raise Damaged("metadata ends within a list")


def _summary(config: dict[str, Value]) -> dict[str, Any]:
    """Volume group, its physical volumes and its logical volumes with their sizes in bytes."""
    for name, group in config.items():
        if isinstance(group, dict) and "extent_size" in group:
            extent = _number(group.get("extent_size")) * SECTOR_SIZE
            return {
                "volume_group": name,
                "volume_group_uuid": str(group.get("id", "")),
                "extent_size": extent,
                "physical_volumes": sorted(_sections(group.get("physical_volumes"))),
                "logical_volumes": [
                    _logical(label, volume, extent) for label, volume in _sections(group.get("logical_volumes")).items()
                ],
            }
    return {}


def _logical(name: str, volume: dict[str, Any], extent: int) -> dict[str, Any]:
    segments = [part for key, part in _sections(volume).items() if key.startswith("segment")]
    return {
        "name": name,
        "size": sum(_number(part.get("extent_count")) for part in segments) * extent,
        "type": ", ".join(sorted({_segment_type(part) for part in segments})),
    }


def _segment_type(segment: dict[str, Any]) -> str:
    kind = str(segment.get("type", ""))
    return "linear" if kind == "striped" and segment.get("stripe_count") == 1 else kind


def _sections(value: Value | None) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}
    return {key: part for key, part in value.items() if isinstance(part, dict)}


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _dashed(uuid: str) -> str:
    """LVM's 32 characters with its dashes: 6-4-4-4-4-4-6."""
    parts, at = [], 0
    for width in (6, 4, 4, 4, 4, 4, 6):
        parts.append(uuid[at : at + width])
        at += width
    return "-".join(parts)
