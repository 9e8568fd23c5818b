"""The emulated machine's state: what GRUB keeps in globals, under GRUB's names, in one explicit object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pvgrub_sim.budget import Budget
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import BootError, Event, EventKind, Outcome
from pvgrub_sim.typed import TYPE_CHECKING, NoReturn
from pvgrub_sim.values import Enum, NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.grub.console.terminal import Terminal
    from pvgrub_sim.grub.disk.track_buffer import TrackBuffer
    from pvgrub_sim.grub.file.gunzip import GunzipFile
    from pvgrub_sim.grub.file.gunzip_stream import GunzipMemory
    from pvgrub_sim.grub.fs.base import MountedFileSystem
    from pvgrub_sim.grub.fs.planned import PlannedFiles
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.profiles import Profile

NETWORK_DRIVE = 0x20
GRUB_INVALID_DRIVE = 0xFF
WHOLE_DISK = 0xFFFFFF
"""The partition number that means: no partition, the disk itself."""

MAX_FALLBACK_ENTRIES = 8
DRIVE_MAP_SIZE = 8
ACCOUNTED = 4096
"""Steps after which the budget that all runs share is told of them."""

MOST_PRINTED = 16 << 20
"""Bytes of files and traces on the console after which nobody reads on."""
STEP_BUDGET = 2_000_000
"""Steps (reads, directory entries, commands) after which the machine is taken to loop for ever."""


Place = tuple[int, int, bytes, bool]
"""Where a file that was loaded lies: drive, first sector of the partition, name there, and whether as it is stored."""


class Handover(NamedTuple):
    """What `boot` gives to the kernel loader (as pv_boot() in stubdom/grub/mini-os.c)."""

    kernel: bytes
    module: bytes | bytearray | memoryview
    cmdline: bytes
    multiboot: bool


KernelLoader = Callable[["Machine", Handover], None]
"""Unpacks and checks the kernel: returns when the kernel is accepted, prints and raises GrubError when not."""

DiskReadHook = Callable[[int, int, int], None]
"""Told of each sector that a file's contents are read from: sector of the disk, offset and length in bytes."""


class KernelType(Enum):
    """What has been loaded (kernel_t in stage2/shared.h), as far as PV-GRUB can load it."""

    NONE = 1
    PV = 2
    CHAINLOADER = 3


class PasswordType(Enum):
    """How a password is given (password_t in stage2/shared.h); md5 is not compiled in."""

    PLAIN = 1
    UNSUPPORTED = 2


class ModuleArea:
    """What `initrd` or `module` have read (module_image and its companions in stubdom/grub/mini-os.c).

    image: the initrd's bytes, or a header page with the packed modules behind it; None when nothing is loaded.
    modules: how many modules are packed; None while it is an initrd.
    """

    modules: int | None = None

    place: Place | None = None
    """Where an initrd lies, as long as it can be had from here instead of being read again."""

    def __init__(self, image: bytearray | bytes | memoryview | None = None, path: str | None = None) -> None:
        self.image = image
        self.path = path


class Machine:
    """PV-GRUB's memory, as far as behaviour depends on it.

    profile: which PV-GRUB. disks: the block devices in vbd order (hd0, hd1, …). term: the console.
    """

    # stage2/common.c, stage2/stage2.c
    errnum: ErrNum = ErrNum.NONE
    boot_drive: int = NETWORK_DRIVE
    install_partition: int = WHOLE_DISK
    saved_drive: int = NETWORK_DRIVE
    saved_partition: int = WHOLE_DISK
    cdrom_drive: int = 0
    """QUIRK: only init_bios_info() would set it, which Mini-OS leaves out; so `(cd)` is the first floppy."""
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
    buf_track: int = -1
    """First sector of the track that the track buffer holds, -1 when it holds none."""
    track_buffer: TrackBuffer | None = None
    """The track buffer itself, while a filesystem is mounted that writes over it."""
    fsys: MountedFileSystem | None = None
    """The mounted filesystem; None stands for fsys_type == NUM_FSYS."""

    # stage2/disk_io.c: the open file
    filepos: int = 0
    filemax: int = 0
    fsmax: int = 0
    block_list: list[tuple[int, int]] | None = None
    """The open block list as (first sector, sectors) runs, or None when a filesystem's file is open."""
    compressed_file: GunzipFile | None = None
    gunzip_memory: GunzipMemory | None = None
    no_decompression: bool = False
    directories: dict[tuple[int, int, int], dict[bytes, int]] | None = None
    """What a driver that can has seen of directories, by drive, first sector and inode: inodes by name. None unless
    somebody opens all names of a directory, one by one."""
    planned: Mapping[tuple[int, int], PlannedFiles] | None = None
    """What is planned for volumes, by drive and first sector: only where it is asked how a mended image boots."""
    disk_read_hook: DiskReadHook | None = None
    """Set by the commands that want to know where a file lies."""
    disk_read_func: DiskReadHook | None = None
    """The same, while a driver reads a file's contents."""
    cur_part_offset: int | None = None
    """Sector of the partition table that was walked last (None stands for cur_part_addr == 0)."""

    # stage2/builtins.c, stage2/asm.S
    kernel_type: KernelType = KernelType.NONE
    debug: bool = False
    default_entry: int = 0
    fallback_entryno: int = -1
    fallback_entries: list[int]
    current_entryno: int = 0
    saved_entryno: int = 0
    password: bytes | None = None
    password_type: PasswordType = PasswordType.PLAIN
    auth: bool = False
    grub_timeout: int = -1
    show_menu: bool = True
    bios_drive_map: list[int]
    mb_cmdline: int = 0
    """Bytes of the Multiboot command-line buffer that are used."""

    # stubdom/grub/mini-os.c
    config_file: bytes = b""
    default_file: bytes = b""
    kernel_image: bytes | None = None
    kernel_place: Place | None = None
    kernel_arg: bytes = b""
    module_area: ModuleArea

    # what is told about the run afterwards
    config_opened: str | None = None
    """The config file that was opened first."""
    menu_path: str | None = None
    """The config file that was opened last: the menu of the entries that run."""
    first_default_entry: int | None = None
    """The entry that the first menu boots by itself."""
    booted_entry: int | None = None
    kernel_path: str | None = None
    initrd_path: str | None = None
    handover: Handover | None = None
    boot_errors: list[BootError]
    in_entry: bool = False
    """True while an entry runs, False at the prompt."""
    script_line: bytes = b""
    """The command line that runs."""
    undefined: list[str]
    """What depended on memory that nothing defines, in words."""

    overlay: dict[int, dict[int, bytes]]
    """Sectors written, by drive and sector number: the image itself is never written."""
    events: list[Event]
    steps: int = 0
    _accounted: int = 0
    """Steps that the shared budget knows of."""
    _checkpoint: int = ACCOUNTED
    """The number of steps at which it is told again."""
    _printed: int = 0
    restarts: int = 0
    """How often stage 2 was restarted by `configfile`."""

    def __init__(
        self,
        profile: Profile,
        disks: Sequence[Disk],
        term: Terminal,
        kexec: KernelLoader,
        budget: Budget | None = None,
    ) -> None:
        self.profile = profile
        self.budget = budget or Budget()
        self.disks = disks
        self.term = term
        self.kexec = kexec
        self.fallback_entries = [0] * MAX_FALLBACK_ENTRIES
        self.bios_drive_map = [0] * (DRIVE_MAP_SIZE + 1)
        self.module_area = ModuleArea()
        self.boot_errors = []
        self.undefined = []
        self.overlay = {}
        self.events = []

    @property
    def is_64bit(self) -> bool:
        """True for the x86_64 build of PV-GRUB, where `unsigned long` has 8 bytes."""
        return self.profile.arch == "x86_64"

    def fail(self, number: ErrNum) -> NoReturn:
        """Set errnum and raise: what GRUB does with `errnum = …; return 0;`."""
        self.errnum = number
        raise GrubError(number)

    @property
    def mem_lower(self) -> int:
        """The domain's memory in KiB, as the menu's first line tells it (stubdom/grub/mini-os.c:main)."""
        return self.profile.memory << 10

    def tick(self, steps: int = 1) -> None:
        """Count steps towards the budget; raises Stop(HANG) when it is used up, GivenUp when that of all runs is."""
        self.steps += steps
        if self.steps > self._checkpoint:
            self._account()

    def forget_steps(self) -> None:
        """Begin to count steps anew, as a fresh machine would; the budget of all runs knows of those before."""
        self.budget.step(self.steps - self._accounted)
        self.steps = self._accounted = 0
        self._checkpoint = ACCOUNTED

    def _account(self) -> None:
        if self.steps > STEP_BUDGET:
            raise Stop(Outcome.HANG, "PV-GRUB loops for ever (step budget used up)")
        self.budget.step(self.steps - self._accounted)
        self._accounted = self.steps
        self._checkpoint = min(self.steps + ACCOUNTED, STEP_BUDGET)

    def printed(self, size: int) -> None:
        """Count bytes of a text without end that a command prints; raises Stop(HANG) after MOST_PRINTED."""
        self._printed += size
        if self._printed > MOST_PRINTED:
            raise Stop(Outcome.HANG, f"PV-GRUB prints more than {MOST_PRINTED >> 20} MiB")

    def emit(self, kind: EventKind, text: str = "", **fields: int | str | None) -> None:
        """Record an event; fields as in model.Event."""
        if fields.get("entry") is not None:
            fields["menu"] = self.menu_path
        self.events.append(Event(kind, text, **fields))  # type: ignore[arg-type]  # checked by Event itself
