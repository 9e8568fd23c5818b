"""The one way to ask a fresh machine: what PV-GRUB sees of a device, a directory or a file, without running a menu."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pvgrub_sim.budget import Budget, GivenUp
from pvgrub_sim.cint import u32
from pvgrub_sim.grub.console.terminal import Terminal
from pvgrub_sim.grub.disk.device import set_device
from pvgrub_sim.grub.disk.partitions import open_partition, walk
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import attempt_mount, grub_open, setup_part
from pvgrub_sim.grub.fs.names import WHITE_SPACE
from pvgrub_sim.grub.fs.planned import PlannedFiles
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import WHOLE_DISK, Handover, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.model import DirectoryEntry, Outcome
from pvgrub_sim.profiles import Profile
from pvgrub_sim.typed import Final, TypeVar
from pvgrub_sim.values import NamedTuple

MOST_PARTITIONS: Final = 64
"""Turns of the partition walk; some tables never end."""
NO_ANSWER: Final = -1
"""The error number that stands for a machine that hangs or dies."""
CHUNK: Final = 1 << 20
"""Bytes: the most of a file that is given at once."""

T = TypeVar("T")


class Seen(NamedTuple):
    """What came of opening something: GRUB's error number, 0 when it worked.

    size: bytes as stored, or unpacked when `packed` (gzip). driver: the filesystem driver that mounted, or "".
    """

    error: int
    size: int = 0
    driver: str = ""
    packed: bool = False


class Slot(NamedTuple):
    """A device as PV-GRUB resolves it: disk 0 for hd0; start and length in sectors of 512 bytes; its type."""

    disk: int
    start: int
    length: int
    type: int
    whole: bool


_DEEDS: Final = {Outcome.CRASH: "die", Outcome.HANG: "never end", Outcome.HALT: "halt", Outcome.REBOOT: "reboot"}
"""What it does in plain words."""


class Unreadable(Exception):
    """PV-GRUB cannot open or read what it was asked for.

    number: GRUB's error number, None when the machine hangs or dies; str() of it is the reason in words.
    """

    def __init__(self, error: GrubError | Stop) -> None:
        if isinstance(error, GrubError):
            self.number: int | None = int(error.number)
            super().__init__(str(error))
        else:
            self.number = None
            super().__init__(f"PV-GRUB would {_DEEDS.get(error.outcome, 'stop')} here: {error.reason}")


class Viewer:
    """Asks fresh machines, a new one for each question.

    disks: hd0 first. profile: which PV-GRUB. budget: of all questions together, and of whoever else shares it.
    planned: files that volumes will have, as for Machine.
    """

    def __init__(
        self,
        disks: Sequence[Disk],
        profile: Profile,
        budget: Budget | None = None,
        *,
        planned: Mapping[tuple[int, int], PlannedFiles] | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._disks = disks
        self._profile = profile
        self._planned = planned
        self._slots: dict[str, Slot | int] = {}
        self._seen: dict[tuple[str, str], Seen] = {}

    def machine(self) -> Machine:
        """A machine that has done nothing yet and refuses no kernel."""
        machine = Machine(self._profile, self._disks, Terminal(), _accept, self._budget)
        machine.planned = self._planned
        return machine

    def slot(self, device: str) -> Slot | int:
        """The stretch of disk that a device string such as `(hd0,1)` stands for, or an error number."""
        if device not in self._slots:
            self._slots[device] = self._guarded(lambda: self._open(device))
        return self._slots[device]

    def _open(self, device: str) -> Slot:
        m = self.machine()
        set_device(m, device.encode("utf-8", "surrogateescape"))
        whole = m.current_partition == WHOLE_DISK
        open_partition(m)
        return Slot(m.current_drive - 0x80, u32(m.part_start), m.part_length, m.current_slice, whole)

    def partitions(self, disk: int) -> dict[int, str]:
        """The partitions of a disk: first sector, and the name by which PV-GRUB reaches it."""
        m = self.machine()
        m.current_drive = 0x80 + disk
        m.current_partition = WHOLE_DISK
        found: dict[int, str] = {}
        try:
            for count, entry in enumerate(walk(m, WHOLE_DISK)):
                if count >= MOST_PARTITIONS:
                    break
                if entry.type & 0xFF:
                    found.setdefault(u32(entry.start), _name(disk, entry.partition))
        except (GrubError, Stop):
            pass
        return found

    def driver(self, device: str) -> str:
        """The name of the driver that mounts a device, or "" when none does."""
        return self.look(device, "").driver

    def look(self, device: str, path: str) -> Seen:
        """What opening a file gives; path "" only mounts."""
        key = (device, path)
        if key not in self._seen:
            try:
                self._seen[key] = self._look(device, path)
            except Stop:
                self._seen[key] = Seen(NO_ANSWER)
        return self._seen[key]

    def _look(self, device: str, path: str) -> Seen:
        m = self.machine()
        try:
            if path:
                grub_open(m, f"{device}{path}".encode("utf-8", "surrogateescape"))
            else:
                set_device(m, device.encode("utf-8", "surrogateescape"))
                open_partition(m)
                attempt_mount(m)
        except GrubError as error:
            return Seen(int(error.number or m.errnum), driver=m.fsys.name if m.fsys else "")
        driver = m.fsys.name if m.fsys else ""
        return Seen(int(m.errnum), m.filemax, driver, m.compressed_file is not None)

    def read(self, device: str, path: str, most: int, *, stored: bool = False) -> bytes | None:
        """The first bytes of a file, None when it cannot be read; stored: without GRUB's gunzip."""

        def get() -> bytes:
            m = self.machine()
            m.no_decompression = stored
            grub_open(m, f"{device}{path}".encode("utf-8", "surrogateescape"))
            m.errnum = ErrNum.NONE
            return grub_read(m, min(most, m.filemax))

        got = self._guarded(get)
        return got if isinstance(got, bytes) else None

    def pieces(self, name: bytes) -> Iterator[bytes]:
        """A file in pieces of at most 1 MiB, unpacked as GRUB does; raises Unreadable.

        name: with or without a device, `(hd0,0)/boot/vmlinuz`.
        """
        m = self.machine()
        try:
            grub_open(m, name)
            while piece := grub_read(m, CHUNK):
                yield piece
        except (GrubError, Stop) as error:
            raise Unreadable(error) from None

    def entries(self, name: bytes, details: bool = True) -> list[DirectoryEntry]:
        """A directory in its own order, or a file by itself; raises Unreadable.

        name: as for pieces(). details: each entry is opened as well, with the error that this gives.
        """
        m = self.machine()
        folder = name.rstrip(b"/") + b"/"
        try:
            try:
                names = _names(m, folder)
            except GrubError as error:
                # It may be no directory, but a file by itself.
                if name.endswith(b"/") or error.number not in (ErrNum.BAD_FILETYPE, ErrNum.FILE_NOT_FOUND):
                    raise
                m.errnum = ErrNum.NONE
                grub_open(m, name)
                return [DirectoryEntry(_text(folder[:-1].rpartition(b"/")[2]), "file", m.filemax)]
        except (GrubError, Stop) as error:
            raise Unreadable(error) from None
        return (
            list(_details(m, folder[folder.find(b")") + 1 :], names))
            if details
            else [DirectoryEntry(_text(raw)) for raw in names]
        )

    @staticmethod
    def _guarded(ask: Callable[[], T]) -> T | int:
        try:
            return ask()
        except GrubError as error:
            return int(error.number)
        except Stop:
            return NO_ANSWER


def _accept(machine: Machine, handover: Handover) -> None:
    """A loader that takes everything; nothing here gets as far as that."""


def _name(disk: int, partition: int) -> str:
    number, letter = partition >> 16 & 0xFF, partition >> 8 & 0xFF
    return f"(hd{disk},{number})" if letter == 0xFF else f"(hd{disk},{number},{chr(ord('a') + letter)})"


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _names(m: Machine, folder: bytes) -> list[bytes]:
    """The names in a directory, whose own name ends in a slash."""
    path = setup_part(m, folder)
    if m.fsys is None:
        m.fail(ErrNum.FSYS_MOUNT)
    return [name for name in m.fsys.list(path) if name not in (b".", b"..")]


def _details(m: Machine, folder: bytes, names: list[bytes]) -> Iterator[DirectoryEntry]:
    """Each name opened as PV-GRUB would, with the error that this gives; folder: its path on the mounted device."""
    stopped = ""
    # As after `root`: the device is not mounted anew for each name.
    m.saved_drive, m.saved_partition = m.current_drive, m.current_partition
    m.directories = {}
    for raw in names:
        name = _text(raw)
        if any(char in WHITE_SPACE for char in raw):
            yield DirectoryEntry(name, error="PV-GRUB cannot name it: white space")
            continue
        if stopped:
            yield DirectoryEntry(name, error=f"not opened, for {stopped}")
            continue
        try:
            m.forget_steps()
            grub_open(m, folder + raw)
            yield DirectoryEntry(name, "file", m.filemax)
        except GrubError as error:
            m.errnum = ErrNum.NONE
            if error.number is ErrNum.BAD_FILETYPE:
                yield DirectoryEntry(name, "directory")
            else:
                yield DirectoryEntry(name, error=str(error))
        except Stop as stop:
            stopped = f"PV-GRUB is gone since {name}"
            yield DirectoryEntry(name, error=str(Unreadable(stop)))
        except GivenUp as error:
            stopped = str(error)
            yield DirectoryEntry(name, error=f"not opened, for {stopped}")
