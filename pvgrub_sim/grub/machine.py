"""The emulated machine's state: what GRUB keeps in globals, under GRUB's names, in one explicit object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Event, EventKind, Outcome

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.base import FileSystem
    from pvgrub_sim.grub.gunzip import GunzipFile
    from pvgrub_sim.grub.terminal import Terminal
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.profiles import Profile

NETWORK_DRIVE = 0x20
GRUB_INVALID_DRIVE = 0xFF
WHOLE_DISK = 0xFFFFFF
"""The partition number that means: no partition, the disk itself."""

STEP_BUDGET = 2_000_000
"""Steps (reads, directory entries, commands) after which the machine is taken to loop for ever."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What `boot` gives to the kernel loader (as pv_boot() in stubdom/grub/mini-os.c)."""

    kernel: bytes
    module: bytes
    cmdline: bytes
    multiboot: bool


KernelLoader = Callable[["Machine", Handover], None]
"""Unpacks and checks the kernel: returns when the kernel is accepted, prints and raises GrubError when not."""


@dataclass
class Machine:
    """PV-GRUB's memory, as far as behaviour depends on it.

    profile: which PV-GRUB. disks: the block devices in vbd order (hd0, hd1, …). term: the console.
    """

    profile: Profile
    disks: Sequence[Disk]
    term: Terminal
    kexec: KernelLoader

    # stage2/common.c, stage2/stage2.c
    errnum: ErrNum = ErrNum.NONE
    boot_drive: int = NETWORK_DRIVE
    install_partition: int = WHOLE_DISK
    saved_drive: int = NETWORK_DRIVE
    saved_partition: int = WHOLE_DISK
    cdrom_drive: int = GRUB_INVALID_DRIVE
    network_ready: bool = False

    # stage2/disk_io.c: the open partition
    current_drive: int = GRUB_INVALID_DRIVE
    current_partition: int = 0
    current_slice: int = 0
    part_start: int = 0
    part_length: int = 0
    buf_drive: int = -1
    total_sectors: int = 0
    """buf_geom.total_sectors: sectors of 512 bytes of the drive that buf_drive names."""
    fsys: FileSystem | None = None
    """The mounted filesystem; None stands for fsys_type == NUM_FSYS."""

    # stage2/disk_io.c: the open file
    filepos: int = 0
    filemax: int = 0
    fsmax: int = 0
    block_list: list[tuple[int, int]] | None = None
    """The open block list as (first sector, sectors) runs, or None when a filesystem's file is open."""
    compressed_file: GunzipFile | None = None

    overlay: dict[int, dict[int, bytes]] = field(default_factory=dict)
    """Sectors written, by drive and sector number: the image itself is never written."""
    events: list[Event] = field(default_factory=list)
    steps: int = 0

    @property
    def is_64bit(self) -> bool:
        """True for the x86_64 build of PV-GRUB, where `unsigned long` has 8 bytes."""
        return self.profile.arch == "x86_64"

    def fail(self, number: ErrNum) -> NoReturn:
        """Set errnum and raise: what GRUB does with `errnum = …; return 0;`."""
        self.errnum = number
        raise GrubError(number)

    def tick(self, steps: int = 1) -> None:
        """Count steps towards the budget; raises Stop(HANG) when it is used up."""
        self.steps += steps
        if self.steps > STEP_BUDGET:
            raise Stop(Outcome.HANG, "PV-GRUB loops for ever (step budget used up)")

    def emit(self, kind: EventKind, text: str = "", **fields: int | str | None) -> None:
        """Record an event; fields as in model.Event."""
        self.events.append(Event(kind, text, **fields))  # type: ignore[arg-type]  # checked by Event itself
