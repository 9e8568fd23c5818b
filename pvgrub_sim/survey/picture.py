"""The layout of disks for a picture of them: what lies where, with what was found there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.model import LayoutPart
from pvgrub_sim.ondisk.mbr import EXTENDED_TYPES
from pvgrub_sim.survey.result import ContentKind, Survey, Volume
from pvgrub_sim.survey.surveyor import survey
from pvgrub_sim.typed import Final

LEAST_GAP: Final = 1 << 20
"""Bytes that no partition has must be more than this to be shown: smaller ones are alignment."""
SECTOR: Final = 512
GPT_SECTORS: Final = 34
"""Protective MBR, header and the least entry array (UEFI specification 2.10, 5.3.1)."""

_TABLES: Final = {
    "none": "no partition table",
    "mbr": "MBR partition table",
    "gpt": "GPT",
    "hybrid": "GPT, with an MBR that shows partitions as well",
}
_KINDS: Final = (
    (ContentKind.LVM, "lvm"),
    (ContentKind.RAID, "raid"),
    (ContentKind.CRYPT, "crypt"),
    (ContentKind.SWAP, "swap"),
)


def survey_disks(disks: Sequence[AttachedDisk]) -> tuple[Survey, ...]:
    """The surveys of disks under the names that PV-GRUB gives them: hd0 has the lowest vbd number."""
    ordered = sorted(disks, key=lambda attached: attached.vbd)
    return tuple(survey(attached.disk, f"(hd{number})") for number, attached in enumerate(ordered))


def layout(surveys: Sequence[Survey]) -> tuple[LayoutPart, ...]:
    """The parts of all disks, each disk before its parts; offsets and lengths in bytes."""
    return tuple(part for found in surveys for part in _disk(found))


def _disk(found: Survey) -> Iterator[LayoutPart]:
    whole = found.whole
    words = [_TABLES[found.table.kind], *_contents(whole)]
    yield LayoutPart(whole.grub, 0, found.size, "disk", ", ".join(words))
    if found.table.kind == "none":
        return
    table_end = min(SECTOR if found.table.kind == "mbr" else GPT_SECTORS * SECTOR, found.size)
    yield LayoutPart("", 0, table_end, "table", "MBR" if found.table.kind == "mbr" else "GPT")
    for volume in found.partitions:
        yield LayoutPart(volume.grub, volume.offset, volume.size, _kind(volume), _label(volume))
    yield from _gaps(found, table_end)


def _gaps(found: Survey, table_end: int) -> Iterator[LayoutPart]:
    """The stretches that neither the table nor a partition has."""
    end = table_end
    for start, stop in sorted((volume.offset, volume.offset + volume.size) for volume in found.partitions):
        if start - end > LEAST_GAP:
            yield LayoutPart("", end, start - end, "free", "in no partition")
        end = max(end, stop)
    if found.size - end > LEAST_GAP:
        yield LayoutPart("", end, found.size - end, "free", "in no partition")


def _is_extended(volume: Volume) -> bool:
    return volume.table == "mbr" and int(volume.type, 16) in EXTENDED_TYPES


def _kind(volume: Volume) -> str:
    if _is_extended(volume):
        return "extended"
    return next((kind for content, kind in _KINDS if volume.has(content)), "partition")


def _label(volume: Volume) -> str:
    """`ext4 LABEL=/, type 0x83 Linux`."""
    words = _contents(volume) or ([] if _is_extended(volume) else ["nothing known"])
    kind = volume.type_name or volume.type if volume.table == "gpt" else f"{volume.type} {volume.type_name}".strip()
    if kind:
        words.append(f"type {kind}")
    return ", ".join(words)


def _contents(volume: Volume) -> list[str]:
    return [
        _shown(f"{content.type} LABEL={content.label}" if content.label else content.type)
        for content in volume.contents
    ]


def _shown(text: str) -> str:
    """Bytes of a label that are not UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
