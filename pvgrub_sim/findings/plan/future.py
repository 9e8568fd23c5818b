"""The disks as they will be once steps have been carried out: in memory, the images are only read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pvgrub_sim.errors import ImageError, KernelFormatError
from pvgrub_sim.findings.plan.volume import LARGEST_FILE, PlannedVolume
from pvgrub_sim.findings.remedies.edited import LineGone, edited
from pvgrub_sim.findings.remedies.edits import unpacked
from pvgrub_sim.findings.remedies.steps import (
    EXT,
    FAT,
    BootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    PutFile,
    Repack,
    Run,
    Source,
    Step,
    Target,
    device_of,
    start_of,
)
from pvgrub_sim.media import AttachedDisk, Disk, vbd_number
from pvgrub_sim.ondisk.compressed import GZIP
from pvgrub_sim.survey.area import READER_UNITS, Area, Budget, Damaged
from pvgrub_sim.survey.boot_files import boot_files
from pvgrub_sim.survey.planned import PlannedReader
from pvgrub_sim.survey.result import Content, ContentKind, PartitionTable, Survey, Volume
from pvgrub_sim.survey.surveyor import open_reader, survey
from pvgrub_sim.survey.tree import Reader, content, find
from pvgrub_sim.survey.viewer import Files
from pvgrub_sim.typed import Final

LARGEST_MENU: Final = 16 << 20
"""Bytes of a menu that is edited."""
DRIVERS: Final = {"ext2": "ext2fs", "ext3": "ext2fs", "ext4": "ext2fs", "vfat": "fat", "xfs": "xfs", "jfs": "jfs"}
"""What PV-GRUB calls the driver of a filesystem as blkid names it."""
UNREAD_FEATURES: Final = ("64bit", "metadata_csum", "metadata_csum_seed")
"""What `resize2fs -s` takes away, and what PV-GRUB looks at no more behind it."""


_DISK: Final = r"\(hd\d+"


class CannotTell(Exception):
    """What a step makes of the image cannot be told without carrying it out; str() is the reason."""


class Future:
    """Disks with steps applied to them.

    disks: as they are attached now. surveys: of them in vbd order. repacked: makes another payload of a kernel's bytes.
    """

    def __init__(
        self,
        disks: Sequence[AttachedDisk],
        surveys: Sequence[Survey],
        repacked: Callable[[bytes, str], bytes],
    ) -> None:
        self._disks = sorted(disks, key=lambda disk: disk.vbd)
        self._surveys = list(surveys)
        self._repacked = repacked
        self._volumes: dict[tuple[str, int], PlannedVolume] = {}
        self._patches: dict[str, dict[int, bytes]] = {}
        self._taken: dict[tuple[str, int], int] = {}
        """Bytes that the steps so far write to each volume."""

    # --- what has become of the disks

    @property
    def disks(self) -> tuple[AttachedDisk, ...]:
        """The disks, in the order of their vbd numbers."""
        if not self._patches:
            return tuple(self._disks)
        from pvgrub_sim.media.overlay import OverlayDisk

        return tuple(
            attached._replace(disk=OverlayDisk(attached.disk, patches))
            if (patches := self._patches.get(attached.disk.name))
            else attached
            for attached in self._disks
        )

    @property
    def surveys(self) -> tuple[Survey, ...]:
        """The surveys of the disks, with the files as they will be."""
        return tuple(map(self._surveyed, self._surveys))

    @property
    def planned(self) -> Mapping[tuple[int, int], PlannedVolume]:
        """What the machine is to find where, by drive and first sector."""
        return {
            (0x80 + number, offset // 512): volume
            for number, attached in enumerate(self._disks)
            for (name, offset), volume in self._volumes.items()
            if name == attached.disk.name
        }

    @property
    def given_up(self) -> tuple[str, ...]:
        """The images of which not all could be looked at, as for a case."""
        ended = [image for (image, _), volume in self._volumes.items() if volume.reader.area.budget.given_up]
        return (*ended, *(view.image for view in self._surveys if view.given_up))

    def reader(self, attached: AttachedDisk, volume: Volume) -> Reader | None:
        """A reader of a volume's files as they will be; None where the survey has none."""
        planned = self._volumes.get((attached.disk.name, volume.offset))
        return planned.reader if planned else open_reader(attached.disk, volume)

    def _surveyed(self, view: Survey) -> Survey:
        def renewed(volume: Volume) -> Volume:
            planned = self._volumes.get((view.image, volume.offset))
            if planned is None or volume.filesystem is None:
                return volume
            return volume._replace(contents=tuple(_with_files(one, planned) for one in volume.contents))

        return view._replace(whole=renewed(view.whole), partitions=tuple(map(renewed, view.partitions)))

    # --- steps

    def apply(self, step: Step) -> None:
        """Let a step have been carried out; raises CannotTell."""
        try:
            self._apply(step)
        except (Damaged, ImageError, KernelFormatError) as error:
            raise CannotTell(str(error)) from None
        except LineGone as gone:
            raise CannotTell(f"the menu has no line {gone} any more") from None

    def _apply(self, step: Step) -> None:
        match step:
            case EditMenu():
                raw = self._read(Source(step.target, step.path, 0))
                text = unpacked(raw, LARGEST_MENU) if raw[:2] == GZIP else raw
                if text is None:
                    raise CannotTell(f"{step.path} is a damaged gzip file")
                for edits in step.passes:
                    text = edited(text, edits)
                self._write(step.target, step.path, text)
            case PutFile():
                data = self._read(step.content) if isinstance(step.content, Source) else step.content
                if step.in_the_way:
                    self._volume(step.target).reader.remove(_raw(step.in_the_way))
                self._write(step.target, step.path, data)
            case Repack():
                kernel = self._read(Source(step.target, step.path, step.size))
                self._write(step.target, step.path, self._repacked(kernel, step.payload))
            case MakeLink():
                self._volume(step.target).reader.add_link(_raw(step.path), _raw(step.to))
            case MoveFile():
                there = Files(self._volume(step.target).reader.base)
                if there.uses_extents(step.path) and there.gaps(step.path):
                    # A rename keeps the holes, which PV-GRUB misreads: a copy of the content would hide them.
                    raise CannotTell(f"{step.path} has holes, and PV-GRUB cannot be asked for it under this name")
                data = self._read(Source(step.target, step.path, 0))
                self._volume(step.target).reader.remove(_raw(step.path))
                self._write(step.target, step.new, data)
            case Run(target=Target() as target):
                self._run(step, target)
            case BootDisk():
                self._attach_boot_disk(step)
            case _:
                raise CannotTell("what that comes to is seen when it is done")

    def _run(self, step: Run, target: Target) -> None:
        tool, *words = (str(word) for word in step.commands[0])
        if tool == "sfdisk" and "--part-type" in words:
            from pvgrub_sim.findings.plan.tables import with_type

            patch = with_type(self._disk(target.image).disk, int(words[-2]), int(words[-1], 16))
            if patch is None:
                raise CannotTell(f"{target.image} has no partition {words[-2]}")
            self._patch(target.image, patch)
        elif tool == "sgdisk" and words[0].startswith("--gpttombr="):
            from pvgrub_sim.findings.plan.tables import as_mbr

            numbers = [int(number) for number in words[0].partition("=")[2].split(":")]
            view = next(view for view in self._surveys if view.image == target.image)
            self._patch(target.image, as_mbr(view.partitions, numbers))
        elif tool == "sgdisk" and words[0].startswith("--hybrid="):
            self._patch(target.image, self._hybrid(step, target))
        elif target.filesystem in EXT and any(words[0] == "resize2fs" for words in step.commands):
            from pvgrub_sim.findings.plan.ext64 import without_64bit

            patch = without_64bit(self._disk(target.image).disk, target.offset)
            if patch is None:
                self._volume(target).anew = DRIVERS[target.filesystem]
            else:
                self._patch(target.image, patch)
                self._volume(target).clean = True
        elif target.filesystem in EXT and any(words[0] == "e2fsck" for words in step.commands):
            self._volume(target).clean = True
            if self._is_damaged(target):
                self._volume(target).anew = DRIVERS[target.filesystem]
        else:
            raise CannotTell(f"what {tool} makes of it is seen when it has run")

    def _is_damaged(self, target: Target) -> bool:
        """True for a filesystem in which more is wrong than that its journal was not replayed."""
        view = next(view for view in self._surveys if view.image == target.image)
        volume = next((volume for volume in view.volumes if volume.offset == target.offset and volume.filesystem), None)
        content = volume.filesystem if volume else None
        return content is None or bool(content.problems) or content.state == "errors"

    def _hybrid(self, step: Run, target: Target) -> Mapping[int, bytes]:
        """What a hybrid MBR and the types behind it come to."""
        from pvgrub_sim.findings.plan.tables import as_hybrid, gpt_type

        words = [str(word) for word in step.commands[0]]
        numbers = [int(number) for number in words[1].partition("=")[2].split(":") if number.isdigit()]
        partitions = next(view for view in self._surveys if view.image == target.image).partitions
        types = {volume.number: gpt_type(volume) for volume in partitions}
        kinds = [types[number] for number in numbers]
        for command in step.commands[1:]:
            kinds[int(str(command[-2])) - 1] = int(str(command[-1]), 16)
        return as_hybrid(partitions, numbers, kinds)

    def _patch(self, image: str, patches: Mapping[int, bytes]) -> None:
        self._patches.setdefault(image, {}).update(patches)
        self._surveys = [
            survey(attached.disk, f"(hd{number})") if attached.disk.name == image else view
            for number, (attached, view) in enumerate(zip(self.disks, self._surveys, strict=True))
        ]

    def _disk(self, image: str) -> AttachedDisk:
        return next(attached for attached in self.disks if attached.disk.name == image)

    def _volume(self, target: Target) -> PlannedVolume:
        key = target.image, target.offset
        if key not in self._volumes:
            attached = self._disk(target.image)
            reader = open_reader(attached.disk, Volume(target.number, target.device, target.offset, target.size))
            if reader is None:
                raise CannotTell(f"the files on {target.device} cannot be read")
            self._volumes[key] = PlannedVolume(PlannedReader(reader, reader.area))
        return self._volumes[key]

    def _write(self, target: Target, path: str, data: bytes) -> None:
        key = target.image, target.offset
        taken = self._taken.get(key, 0) + len(data)
        # What a tool wants free besides: a map of blocks and a directory that grows, which on FAT is by clusters.
        if target.room is not None and taken + (64 << 10 if target.filesystem == FAT else 8 << 10) > target.room:
            raise CannotTell(f"{target.device} has no room for {path}")
        self._taken[key] = taken
        self._volume(target).reader.add_file(_raw(path), data)

    def _read(self, source: Source) -> bytes:
        reader = self._volume(source.target).reader
        node = find(reader, _raw(source.path))
        if node is None or node.size > LARGEST_FILE:
            raise CannotTell(f"{source.path} cannot be read")
        return b"".join(content(reader, node))

    def _attach_boot_disk(self, step: BootDisk) -> None:
        """Put a disk in front of the others, which keep their order behind it."""
        from pvgrub_sim.findings.plan.tables import one_partition
        from pvgrub_sim.media.zeros import ZeroDisk

        start = start_of(step.partition)
        disk = ZeroDisk(step.output, start + step.size)
        reader = PlannedReader(None, Area(disk, start, step.size, Budget(READER_UNITS)))
        for number, (path, source) in enumerate(step.files):
            data = self._read(source)
            if number == 0 and step.edits:
                data = edited(unpacked(data, LARGEST_MENU) or data if data[:2] == GZIP else data, step.edits)
            reader.add_file(_raw(path), data)
        self._volumes[step.output, start] = PlannedVolume(reader, DRIVERS["ext2"])
        device, others = displaced(self._disks)
        self._disks = [AttachedDisk(disk, device.vbd, device.device), *others]
        if step.partition is not None:
            self._patches[step.output] = dict(one_partition(step.partition, start, step.size))
        self._surveys = [_survey_of(disk, step), *(_renamed(view, n) for n, view in enumerate(self._surveys, 1))]


def displaced(disks: Sequence[AttachedDisk]) -> tuple[AttachedDisk, tuple[AttachedDisk, ...]]:
    """The place of the first disk, for another one, and the disks behind it: the first one moves to a free name."""
    first, *others = disks
    stem = first.device.rstrip("0123456789") or "/dev/sda"
    taken = {attached.vbd for attached in disks}
    for letter in "fghijklmnop":
        name = stem[:-1] + letter
        number = vbd_number(name)
        if number not in taken and number > first.vbd:
            return first, tuple(sorted([first._replace(vbd=number, device=name), *others], key=lambda disk: disk.vbd))
    raise CannotTell("there is no device name left for a disk more")


def _survey_of(disk: Disk, step: BootDisk) -> Survey:
    """A boot disk's survey: ext2 on the whole of it, or in a partition."""
    ext2 = Content(ContentKind.FILESYSTEM, "ext2", size=step.size, readable=True)
    whole = Volume(None, "(hd0)", 0, disk.size)
    if step.partition is None:
        return Survey(disk.name, disk.size, PartitionTable(), whole._replace(contents=(ext2,)))
    start = start_of(step.partition)
    device = device_of(step.partition)
    part = Volume(step.partition, device, start, step.size, table="mbr", type="0x83", contents=(ext2,))
    return Survey(disk.name, disk.size, PartitionTable("mbr"), whole, (part,))


def _renamed(view: Survey, number: int) -> Survey:
    """A survey under the name that the disk has as the one of that number."""

    def named(volume: Volume) -> Volume:
        return volume._replace(grub=re.sub(_DISK, f"(hd{number}", volume.grub, count=1))

    return view._replace(whole=named(view.whole), partitions=tuple(map(named, view.partitions)))


def _with_files(one: Content, planned: PlannedVolume) -> Content:
    if one.kind is not ContentKind.FILESYSTEM or not one.readable:
        return one
    files, problems = boot_files(planned.reader)
    features = one.features
    state = one.state
    if planned.anew or planned.clean:
        features = tuple(name for name in features if name not in UNREAD_FEATURES)
        state = "clean"
    return one._replace(files=files, features=features, state=state, problems=problems)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
