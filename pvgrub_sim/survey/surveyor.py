"""The way from a disk to its survey."""

from __future__ import annotations

from pvgrub_sim.media.disk import Disk, known_size, layers_of
from pvgrub_sim.ondisk.mbr import EXTENDED_TYPES
from pvgrub_sim.survey.area import READER_UNITS, TOTAL_UNITS, Area, Budget, Damaged
from pvgrub_sim.survey.boot_files import boot_files
from pvgrub_sim.survey.identify import identify, readable
from pvgrub_sim.survey.result import Content, Survey, Volume
from pvgrub_sim.survey.tables import read_table
from pvgrub_sim.survey.tree import Reader


def survey(disk: Disk, grub: str = "(hd0)", *, systems: bool = False) -> Survey:
    """Survey a disk; whatever is damaged becomes a line of `problems`, nothing is raised.

    grub: what PV-GRUB calls the disk. systems: tell the operating systems as well, and what is in the initrds. Raises
    ImageError where the disk's size cannot be found out.
    """
    while True:
        found = _survey(disk, grub, known_size(disk), systems)
        if found.size == known_size(disk):
            return found
        # It was only likely, and what was read has shown that it is another one.


def _survey(disk: Disk, grub: str, size: int, systems: bool) -> Survey:
    total = Budget(TOTAL_UNITS)
    area = Area(disk, 0, size, Budget(total=total))
    table, partitions = read_table(area)
    whole = _fill(Volume(None, "(hd0)", 0, size), disk, total, systems)
    volumes = [whole]
    # Partitions of a hostile table may all be the same one.
    seen: dict[tuple[int, int], tuple[Content, ...]] = {}
    for volume in partitions:
        place = volume.offset, clipped_size(volume, disk)
        if place in seen and not _is_extended(volume):
            volumes.append(volume._replace(contents=seen[place]))
        else:
            volumes.append(_fill(volume, disk, total, systems))
            seen[place] = volumes[-1].contents
    if grub != "(hd0)":
        volumes = [volume._replace(grub=grub[:-1] + volume.grub[4:]) for volume in volumes]
    return Survey(
        disk.name,
        size,
        table,
        volumes[0],
        tuple(volumes[1:]),
        layers=layers_of(disk),
        given_up=total.given_up,
    )


def clipped_size(volume: Volume, disk: Disk) -> int:
    """The bytes of a volume that lie on its disk."""
    if volume.offset + volume.size <= known_size(disk):
        return max(0, volume.size)
    return max(0, min(volume.size, disk.size - volume.offset))


def _area(volume: Volume, disk: Disk, total: Budget) -> Area:
    return Area(disk, volume.offset, clipped_size(volume, disk), Budget(total=total))


def _is_extended(volume: Volume) -> bool:
    return volume.table == "mbr" and int(volume.type, 16) in EXTENDED_TYPES


def _fill(volume: Volume, disk: Disk, total: Budget, systems: bool) -> Volume:
    """The volume with what lies in it."""
    if _is_extended(volume):
        return volume
    area = _area(volume, disk, total)
    contents = []
    for content, reader in identify(area):
        contents.append(content if reader is None else _with_files(content, reader, systems))
    return volume._replace(contents=tuple(contents))


def _with_files(content: Content, reader: Reader, systems: bool) -> Content:
    try:
        reader.root()
    except Damaged as error:
        return content._replace(readable=False, problems=(*content.problems, f"{content.type}: {error}"))
    files, problems = boot_files(reader)
    content = content._replace(files=files, problems=(*content.problems, *problems))
    if not systems:
        return content
    from pvgrub_sim.survey.systems import with_system

    return with_system(content, reader)


def volume_reader(disk: Disk, grub: str) -> Reader | None:
    """A reader of the filesystem on `(hd0)`, `(hd0,1)` …; None when there is none that the survey can read."""
    whole = Volume(None, "(hd0)", 0, known_size(disk))
    total = Budget(TOTAL_UNITS)
    partitions = () if grub == whole.grub else read_table(_area(whole, disk, total))[1]
    volume = next((volume for volume in (whole, *partitions) if volume.grub == grub), None)
    return None if volume is None else open_reader(disk, volume)


def open_reader(disk: Disk, volume: Volume) -> Reader | None:
    """A reader of a volume's filesystem, None when it has none that the survey can read."""
    area = Area(disk, volume.offset, clipped_size(volume, disk), Budget(READER_UNITS))
    return next((reader for _, reader in readable(area) if reader is not None), None)
