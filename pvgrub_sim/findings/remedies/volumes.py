"""From a place of the case to the target of a step."""

from __future__ import annotations

from pvgrub_sim.errors import ImageError
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.steps import EXT, Source, Target
from pvgrub_sim.media import AttachedDisk, Disk, layers_of
from pvgrub_sim.media.disk import known_size
from pvgrub_sim.ondisk import ext2


def target_of(place: Place) -> Target:
    """The volume as steps name it."""
    volume = place.volume
    content = place.filesystem
    disk = place.attached.disk
    room = None
    short = 0
    if content is not None:
        there = max(0, min(volume.size, known_size(disk) - volume.offset))
        short = max(0, (content.size or 0) - there)
        if content.type in EXT:
            try:
                raw = disk.read(volume.offset + ext2.SUPERBLOCK_OFFSET, ext2.SUPERBLOCK_SIZE)
                # A boot disk that is planned has none yet, and room for what goes in.
                room = ext2.free_bytes(raw) if any(raw) else None
            except ImageError:
                room = 0
    return Target(
        image=disk.name,
        disk=place.index,
        device=place.device,
        # Alone, every image is hd0.
        alone=volume.grub.replace(f"(hd{place.index}", "(hd0", 1),
        number=volume.number,
        offset=volume.offset,
        size=volume.size,
        filesystem=place.type,
        features=content.features if content else (),
        room=room,
        short=short,
        wrapped=_format_of(disk),
    )


def source_of(place: Place, path: str) -> Source:
    """A file that is there, under its path without links."""
    node = place.node(path)
    return Source(target_of(place), place.links(path)[1], node.size if node else 0)


def image_of(attached: AttachedDisk, disk: int) -> Target:
    """A whole disk, whatever is on it."""
    name = attached.disk.name
    wrapped = _format_of(attached.disk)
    return Target(name, disk, f"(hd{disk})", "(hd0)", None, 0, known_size(attached.disk), "", wrapped=wrapped)


def _format_of(disk: Disk) -> str:
    """What a disk's bytes are wrapped in, empty where they lie in a file as they are."""
    layers = layers_of(disk)
    return layers[0].format if layers else ""
