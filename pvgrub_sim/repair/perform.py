"""One step of a remedy carried out on a copy of an image: the files it names, and nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, cast

from pvgrub_sim.errors import KernelFormatError, RepairError
from pvgrub_sim.findings.remedies.edited import LineGone, edited
from pvgrub_sim.findings.remedies.steps import (
    EXT,
    FAT,
    Advice,
    BootDisk,
    BtrfsBootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    Operand,
    PutFile,
    Repack,
    Run,
    Source,
    Step,
    Target,
    device_of,
)
from pvgrub_sim.kernels import extract_kernel, repack_kernel
from pvgrub_sim.repair.bootdisk import make_boot_disk
from pvgrub_sim.repair.btrfs import boot_folder
from pvgrub_sim.repair.excerpt import change_alone, checked, without_feature_64bit
from pvgrub_sim.repair.ext import ExtFilesystem
from pvgrub_sim.repair.fat import FatFilesystem
from pvgrub_sim.repair.table import change_table, partitions
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.values import NamedTuple

LARGEST_MENU: Final = 16 << 20
"""Bytes of a menu that is edited."""


Payload = Literal["gzip", "xz", "none", "elf-gz"]


class Done(NamedTuple):
    """What became of a step: what was written and kept, in words; made: a disk that it made, or None."""

    words: str
    made: Path | None = None


class Workshop:
    """Carries out steps.

    copies: the copy of each image, by the name that steps give the image. tools: run the tools.
    """

    def __init__(self, copies: Mapping[str, Path], tools: Tools) -> None:
        self._copies = copies
        self._tools = tools

    def perform(self, step: Step) -> Done | None:
        """Carry out a step; None for one that only a person can. Raises RepairError, ImageError."""
        match step:
            case Advice():
                return None
            case EditMenu():
                return Done(self._edit_menu(step))
            case PutFile():
                source = self._bytes_or_file(step.content)
                writer = self._writer(step.target)
                if step.in_the_way:
                    writer.put_aside(step.in_the_way)
                return Done(_put(step.path, writer.put(step.path, source)))
            case Repack():
                return Done(self._repack(step))
            case MakeLink():
                backup = self._writer(step.target).link(step.path, step.to)
                return Done(_put(f"{step.path} -> {step.to}", backup))
            case MoveFile():
                self._writer(step.target).move(step.path, step.new)
                return Done(f"{step.path} is {step.new} now")
            case Run():
                return Done(self._run(step))
            case BootDisk():
                return self._boot_disk(step)
            case BtrfsBootDisk():
                return self._btrfs_boot_disk(step)

    # --- files

    def _stretch(self, target: Target) -> Stretch:
        copy = self._copies.get(target.image)
        if copy is None:
            raise RepairError(f"{target.image} is another disk, which is not changed here")
        return Stretch(copy, target.offset, target.size)

    def _writer(self, target: Target) -> ExtFilesystem | FatFilesystem:
        if target.short:
            raise RepairError(f"{target.device} is shorter than its filesystem by {target.short} bytes")
        if target.filesystem in EXT:
            return ExtFilesystem(self._stretch(target), self._tools)
        if target.filesystem == FAT:
            return FatFilesystem(self._stretch(target), self._tools)
        raise RepairError(f"{target.filesystem or 'what is on ' + target.device} cannot be written without a mount")

    def _copy_out(self, source: Source) -> Path:
        """A file of the image as a file of the folder, as the survey reads it."""
        from pvgrub_sim.image import iter_file

        file = self._tools.fresh()
        name = source.target.alone + source.path
        size = 0
        with file.open("xb") as out:
            for piece in iter_file(
                str(self._stretch(source.target).image), name.encode("utf-8", "surrogateescape"), survey=True
            ):
                size += out.write(piece)
        if size < source.size:
            raise RepairError(f"{source.path} came out with {size} of {source.size} bytes")
        return file

    def _bytes_or_file(self, content: bytes | Source) -> Path:
        if isinstance(content, Source):
            return self._copy_out(content)
        file = self._tools.fresh()
        file.write_bytes(content)
        return file

    def _edit_menu(self, step: EditMenu) -> str:
        raw = self._copy_out(Source(step.target, step.path, 0)).read_bytes()
        raw = self._unpacked(raw, packed=step.packed)
        if len(raw) > LARGEST_MENU:
            raise RepairError(f"{step.path} is too large for a menu")
        try:
            for edits in step.passes:
                raw = edited(raw, edits)
        except LineGone as gone:
            raise RepairError(f"{step.path} has no line {gone} any more") from None
        return _put(step.path, self._writer(step.target).put(step.path, _written(self._tools.fresh(), raw)))

    def _unpacked(self, raw: bytes, *, packed: bool) -> bytes:
        """The text of a menu, LARGEST_MENU bytes and one more at the most."""
        if not packed:
            return raw
        with gzip.open(_written(self._tools.fresh(), raw)) as file:
            return file.read(LARGEST_MENU + 1)

    def _repack(self, step: Repack) -> str:
        kernel = self._copy_out(Source(step.target, step.path, step.size))
        try:
            new = repack_kernel(str(kernel), cast(Payload, step.payload))
            if bytes(extract_kernel(new)) != bytes(extract_kernel(str(kernel))):
                raise RepairError(f"{step.path} came out as another kernel than it was")
        except KernelFormatError as error:
            raise RepairError(f"{step.path}: {error.reason}") from None
        return _put(step.path, self._writer(step.target).put(step.path, _written(self._tools.fresh(), new)))

    # --- whole filesystems and tables

    def _run(self, step: Run) -> str:
        if step.target is None:
            raise RepairError("a command that is about no disk image is for a person to run")
        tools = [str(words[0]) for words in step.commands]
        if tools[0] in ("sfdisk", "sgdisk"):
            self._change_table(step, step.target)
        elif "resize2fs" in tools:
            change_alone(self._stretch(step.target), self._tools, without_feature_64bit)
        elif set(tools) == {"e2fsck"}:
            self._whole(step.target)
            change_alone(self._stretch(step.target), self._tools, checked)
        else:
            self._whole(step.target)
            change_alone(self._stretch(step.target), self._tools, lambda alone, _: self._commands(step, alone))
        return "; ".join(" ".join(str(word) for word in words if isinstance(word, str)) for words in step.commands)

    def _whole(self, target: Target) -> None:
        if target.short:
            raise RepairError(f"{target.device} is shorter than its filesystem by {target.short} bytes: truncated")

    def _commands(self, step: Run, alone: Path) -> None:
        for words in step.commands:
            argv = [self._tools.name_of(alone) if isinstance(word, Operand) else word for word in words]
            self._tools.run(*argv, accepted=(0, 1) if argv[0].endswith("fsck") else (0,))

    def _change_table(self, step: Run, target: Target) -> None:
        """Run sfdisk or sgdisk; afterwards every partition is where it was."""
        image = self._stretch(target).image
        before = _places(image, self._tools)
        for words in step.commands:
            argv = [self._tools.name_of(image) if isinstance(word, Operand) else word for word in words]
            change_table(argv, self._tools)
        if _places(image, self._tools) != before:
            raise RepairError(f"{step.commands[0][0]} moved or dropped a partition")

    # --- boot disks

    def _boot_disk(self, step: BootDisk) -> Done:
        files = {}
        for number, (path, source) in enumerate(step.files):
            file = self._copy_out(source)
            if number == 0 and step.edits:
                try:
                    raw = self._unpacked(file.read_bytes(), packed=step.packed)
                    file = _written(self._tools.fresh(), edited(raw, step.edits))
                except LineGone as gone:
                    raise RepairError(f"{path} has no line {gone} any more") from None
            files[path] = file
        disk = self._tools.fresh(".img")
        make_boot_disk(disk, files, self._tools, partition=step.partition)
        return Done(f"a boot disk of {disk.stat().st_size >> 20} MiB with {', '.join(files)}", disk)

    def _btrfs_boot_disk(self, step: BtrfsBootDisk) -> Done:
        self._whole(step.target)
        found = boot_folder(self._stretch(step.target), self._tools, device_of(step.partition))
        disk = self._tools.fresh(".img")
        make_boot_disk(disk, found.files, self._tools, found.links, partition=step.partition)
        made = f"a boot disk of {disk.stat().st_size >> 20} MiB with the {len(found.files)} files of /boot"
        return Done(f"{made} on {step.target.device}", disk)


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def _put(path: str, backup: str) -> str:
    return f"{path} is written, the one before is {backup}" if backup else f"{path} is written"


def _places(image: Path, tools: Tools) -> Sequence[tuple[int, ...]]:
    """Start and size of each partition, whatever its number."""
    return sorted(part[1:3] for part in partitions(image, tools))
