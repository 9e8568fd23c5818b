"""Case: everything that a rule may look at, found out when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from pvgrub_sim.bootchain import Boot, KernelTry, run_entry
from pvgrub_sim.findings.facts import menufile
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.menufile import Entry, Line, MenuFile, parse_number, split_device
from pvgrub_sim.findings.facts.place import Place, ReaderMaker, gunzip, reader_of
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.grub.viewer import Seen, Slot, Viewer
from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.model import BootError, Event, EventKind, Outcome, Severity
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.profiles import Profile
from pvgrub_sim.survey.picture import survey_disks
from pvgrub_sim.survey.result import BootFile, FileKind, Survey
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.kernels import LoaderAnswer
    from pvgrub_sim.grub.fs.planned import PlannedFiles
    from pvgrub_sim.profiles.ami import AmiDescription

HEAD: Final = 64 << 10
"""Bytes of a kernel that its header and payload's magic lie in."""
MOST_HEADS: Final = 16
"""Heads of kernels that are kept: a menu may name thousands."""
FILE_COMMANDS: Final = ("kernel", "initrd", "module", "modulenounzip")


class Told(NamedTuple):
    """What a rule has said already: which, how grave, and where."""

    rule: str
    severity: Severity
    where: Where


class Case:
    """One run of PV-GRUB, its disks, and the circumstances that are known.

    boot: the run. disks: as attached, the image itself first. ami: what `aws ec2 describe-images` says of the image, or
    None. ari: the id of a ramdisk image that goes with it, or None. aki_named: somebody has chosen this very version of
    PV-GRUB. instance_types: of EC2, on which it is to run, with `*` for anything; empty where nobody says.
    memory_named: the domain's memory is that of a real one. surveys: of the disks in vbd order, where somebody has made
    them already. make_reader, planned: of volumes that will have other files, as for Place and bootchain.run().
    """

    def __init__(
        self,
        boot: Boot,
        disks: Sequence[AttachedDisk],
        *,
        ami: AmiDescription | None = None,
        ari: str | None = None,
        aki_named: bool = False,
        instance_types: tuple[str, ...] = (),
        memory_named: bool = False,
        surveys: Sequence[Survey] | None = None,
        make_reader: ReaderMaker = reader_of,
        planned: Mapping[tuple[int, int], PlannedFiles] | None = None,
    ) -> None:
        self.boot = boot
        self.asked = disks[0]
        """The disk of the image that somebody asks about, as attached."""
        self.disks = sorted(disks, key=lambda disk: disk.vbd)
        self.ami = ami
        self.ari = ari
        self.aki_named = aki_named
        self.instance_types = instance_types
        self.memory_named = memory_named
        self._surveys = surveys
        self._make_reader = make_reader
        self.planned = planned
        disks_alone = [attached.disk for attached in self.disks]
        self.viewer = Viewer(disks_alone, boot.profile, boot.memory.budget, planned=planned)
        self.told: list[Told] = []
        """What the rules before have found."""
        self._files: list[FileRef] | None = None
        self._entry_runs: dict[int, Boot] = {}
        self._heads: dict[tuple[str, str], bytes] = {}
        self.loader_answers: list[LoaderAnswer] | None = None
        """What the loader says to the kernels, once somebody has asked (facts/kernels.py)."""

    # --- the run

    @property
    def profile(self) -> Profile:
        """The version of PV-GRUB that ran."""
        return self.boot.profile

    @property
    def amazon(self) -> bool:
        """True for one of Amazon's versions."""
        return self.profile.name.startswith("amazon-")

    @property
    def pvgrub(self) -> str:
        """The version in words: `PV-GRUB amazon-1.05`."""
        return f"PV-GRUB {self.profile.name}"

    @property
    def healthy(self) -> bool:
        """True when the default entry itself boots, or the menu to which it leads."""
        return self.boot.outcome is Outcome.BOOTS and not self.errors

    @property
    def config(self) -> str | None:
        """The config file that PV-GRUB opened."""
        return self.boot.machine.config_opened

    @property
    def errors(self) -> list[BootError]:
        """The errors that PV-GRUB printed."""
        return self.boot.machine.boot_errors

    @property
    def tries(self) -> list[KernelTry]:
        """The kernels that the loader was given."""
        return self.boot.tries

    # --- the disks

    @cached_property
    def surveys(self) -> tuple[Survey, ...]:
        """What is really there, disk by disk."""
        if self._surveys is not None:
            return tuple(self._surveys)
        return survey_disks(self.disks)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All volumes of all disks."""
        found = []
        for index, (attached, view) in enumerate(zip(self.disks, self.surveys, strict=True)):
            names = self.viewer.partitions(index) if view.partitions else {}
            for volume in view.volumes:
                name = f"(hd{index})" if volume.number is None else names.get(volume.offset // 512)
                device = name or volume.grub
                found.append(Place(attached, index, volume, device, name is not None, make_reader=self._make_reader))
        return tuple(found)

    @property
    def given_up(self) -> tuple[str, ...]:
        """The images of which not all was looked at: what was not found there may be there all the same."""
        views = [view.image for view in self._surveys or self.__dict__.get("surveys", ()) if view.given_up]
        return (*views, *(place.attached.disk.name for place in self.__dict__.get("places", ()) if place.given_up))

    def place(self, device: str) -> Place | None:
        """The volume that a device string stands for, as PV-GRUB resolves it."""
        slot = self.viewer.slot(device)
        if not isinstance(slot, Slot):
            return next((place for place in self.places if place.device == device), None)
        for place in self.places:
            if place.index == slot.disk and place.volume.offset == slot.start * 512 and place.whole == slot.whole:
                return place
        return None

    # --- the menu

    @cached_property
    def menu_home(self) -> tuple[Place, str] | None:
        """Where the menu is: what PV-GRUB opened, else what it would have opened had it been able to read it."""
        paths = [self.config] if self.config else list(self.profile.config_paths)
        for text in paths:
            device, path = split_device(text)
            place = self.place(device) if device else None
            if place is None:
                continue
            if self.config or place.is_file(path):
                return place, path
        return None

    @cached_property
    def menu_raw(self) -> bytes | None:
        """The menu's bytes as PV-GRUB reads them, or as they are where it did not; None without one."""
        if self.config:
            return self.viewer.read(*split_device(self.config), menufile.MOST_BYTES + 1)
        if self.menu_home:
            place, path = self.menu_home
            raw = place.head(path, menufile.MOST_BYTES + 1)
            return gunzip(raw, menufile.MOST_BYTES + 1) if raw is not None and is_gzip(raw) else raw
        return None

    @cached_property
    def menu(self) -> MenuFile | None:
        """The menu with its line numbers, None when there is none."""
        raw = self.menu_raw
        return menufile.parse(raw) if raw is not None and len(raw) <= menufile.MOST_BYTES else None

    @property
    def menu_name(self) -> str:
        """`(hd0)/boot/grub/menu.lst`."""
        if self.config:
            return self.config
        return f"{self.menu_home[0].device}{self.menu_home[1]}" if self.menu_home else ""

    def at(self, line: Line | None) -> Where:
        """For a finding: a line of the menu, or the menu."""
        return Where(*split_device(self.menu_name), line=line.number if line else None)

    @property
    def default(self) -> int | None:
        """The entry that boots by itself."""
        number = self.boot.machine.first_default_entry
        if number is None and self.menu and self.menu.count:
            line = self.menu.setting("default")
            wanted = parse_number(line.argument) if line else 0
            number = wanted if wanted is not None and wanted < self.menu.count else 0
        return number

    @cached_property
    def fallbacks(self) -> tuple[int, ...]:
        """The entries that the fallback line names and that exist."""
        line = self.menu.setting("fallback") if self.menu else None
        if line is None or self.menu is None:
            return ()
        numbers = [parse_number(word) for word in line.argument.split()]
        return tuple(number for number in numbers if number is not None and number < self.menu.count)

    @cached_property
    def reachable(self) -> tuple[Entry, ...]:
        """The entries that can run without a person: the default, the fallbacks, and those that did run."""
        if self.menu is None:
            return ()
        tried = [event for event in self.boot.machine.events if event.kind is EventKind.ENTRY]
        numbers = dict.fromkeys([self.default, *(e.entry for e in tried if e.menu == self.config), *self.fallbacks])
        return tuple(entry for number in numbers if (entry := self.menu.entry(number)))

    def entry_of(self, told: BootError | Event | KernelTry) -> Entry | None:
        """The entry that an error, an event or a kernel belongs to; None for one of another menu."""
        return self.menu.entry(told.entry) if self.menu is not None and told.menu == self.config else None

    @property
    def booted(self) -> Entry | None:
        """The entry that boots; None when none does, or one of another menu."""
        machine = self.boot.machine
        if self.menu is None or self.boot.outcome is not Outcome.BOOTS or machine.menu_path != self.config:
            return None
        return self.menu.entry(machine.booted_entry)

    def explained(self, entry: Entry | None) -> bool:
        """True when a rule before has an error at a line of the entry, or at a file that it names.

        entry: None, where it is not known which, stands for all of them.
        """
        errors = [told.where for told in self.told if told.severity is Severity.ERROR]
        if entry is None:
            return bool(errors)
        spots = {self.at(line) for line in (entry.title, *entry.lines)}
        files = {(ref.device, ref.path) for ref in self.files() if ref.entry is entry}
        return any(where in spots or (where.path and (where.device, where.path) in files) for where in errors)

    def line_of(self, error: BootError) -> Line | None:
        """The line of the menu at which PV-GRUB printed an error."""
        entry = self.entry_of(error)
        command = error.command.replace("\t", " ")
        return next((line for line in (entry.lines if entry else ()) if line.text == command), None)

    def entry_run(self, number: int) -> Boot | None:
        """What would happen if the entry ran by itself, without fallback; None when there is no menu."""
        if self.config is None or self.menu is None:
            return None
        if number not in self._entry_runs:
            memory, planned = self.boot.memory, self.planned
            result = run_entry(self.disks, self.profile, self.config, number, memory=memory, planned=planned)
            result.forget_files()
            self._entry_runs[number] = result
        return self._entry_runs[number]

    # --- the files that the menu names

    def files(self, *roles: str) -> Iterator[FileRef]:
        """The files that reachable entries name, in order; roles: commands (default: all that load a file)."""
        if self._files is None:
            self._files = list(self._find_files())
        for ref in self._files:
            if not roles or ref.role in roles:
                yield ref

    def _find_files(self) -> Iterator[FileRef]:
        for entry in self.reachable:
            for line, root in entry.files():
                if line.command not in FILE_COMMANDS:
                    continue
                device, path = split_device(line.file)
                device = device or root
                place = self.place(device) if device.startswith("(") else None
                seen = self.viewer.look(device, path) if device.startswith("(") else Seen(21)
                yield FileRef(entry, line, device, path, place, seen)

    def elsewhere(self, ref: FileRef) -> Place | None:
        """Another device on which PV-GRUB opens the path of a file that it does not open where it is named."""
        if not ref.seen.error or not ref.path.startswith("/") or (ref.place and ref.place.is_file(ref.path)):
            return None
        for place in self.places:
            if place.seen and place is not ref.place and not self.viewer.look(place.device, ref.path).error:
                return place
        return None

    def kernel_head(self, ref: FileRef) -> bytes:
        """The first 64 KiB of a kernel as stored: as the survey reads them where it can, else as PV-GRUB does."""
        key = ref.device, ref.path
        if key not in self._heads:
            raw = ref.place.head(ref.path, HEAD) if ref.place else None
            if raw is None and not ref.seen.error:
                raw = self.viewer.read(ref.device, ref.path, HEAD, stored=True)
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[key] = raw or b""
        return self._heads[key]

    def boot_files(self, kind: FileKind) -> Iterator[tuple[Place, BootFile]]:
        """All boot files of one kind on any volume."""
        for place in self.places:
            for found in place.volume.contents:
                for file in found.files:
                    if file.kind is kind and not file.missing:
                        yield place, file

    def tried(self, ref: FileRef) -> KernelTry | None:
        """What the loader said to that kernel, None when it was never given it."""
        return next((one for one in self.tries if self.entry_of(one) is ref.entry and one.path == ref.line.file), None)
