"""Wires the emulated machine to the kernel loader: one run of PV-GRUB on some disks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pvgrub_sim.budget import GivenUp
from pvgrub_sim.digest import Digest
from pvgrub_sim.grub.console.backend import ConsoleBackend
from pvgrub_sim.grub.console.terminal import Terminal
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.load import memory_held
from pvgrub_sim.grub.file.open import grub_open
from pvgrub_sim.grub.machine import Handover, Machine, ModuleArea
from pvgrub_sim.grub.menu.config import read_menu
from pvgrub_sim.grub.menu.script import run_script
from pvgrub_sim.grub.stage2 import cmain, start_terminal
from pvgrub_sim.grub.stop import Restart, Stop
from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.model import Outcome
from pvgrub_sim.profiles import Profile
from pvgrub_sim.typed import TYPE_CHECKING, Any
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.memory import LoaderMemory

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.planned import PlannedFiles
    from pvgrub_sim.xen.image import KernelImage
    from pvgrub_sim.xen.inspect import KernelFacts
    from pvgrub_sim.xen.refusal import Cause, Refusal

HEAD = 1024
"""Bytes of a refused kernel that are kept: the setup header of a bzImage, the header of an ELF file."""


Console = Callable[[], ConsoleBackend | None]
"""Makes the far end of the console for a run, or None when nobody is there."""


def nobody() -> None:
    """Nobody is at the console."""


class HandedOver(NamedTuple):
    """What `boot` gave to the kernel loader last: sizes in bytes, digests, and the command line."""

    kernel_size: int
    kernel_digest: Digest
    module_size: int
    module_digest: Digest
    cmdline: bytes


class KernelTry(NamedTuple):
    """A kernel that the loader was given: by which entry of which menu, its path there, and what came of it.

    refusal: why it was refused, None when it was accepted. Of one that was refused, facts: what is inside (without
    opinions), and head: its first bytes, HEAD at most.
    """

    entry: int
    path: str
    refusal: Refusal | None = None
    facts: KernelFacts | None = None
    head: bytes = b""
    menu: str | None = None

    @property
    def error(self) -> int:
        """GRUB's error number, 0 when the kernel was accepted."""
        return self.refusal.number if self.refusal else 0

    @property
    def reason(self) -> str:
        """Why it was refused, in words."""
        return self.refusal.reason if self.refusal else ""

    @property
    def cause(self) -> Cause | None:
        """Why it was refused."""
        return self.refusal.cause if self.refusal else None


class Boot:
    """One run of PV-GRUB: how it ended and why, and the machine as it was then.

    kernel_detail: what the loader found out about the kernel that was handed over last. tries: every kernel that the
    loader was given, in order. memory: what the loader remembers of them. left_out: why not everything was looked at
    that could explain the run, or empty. kernel: what was handed over last and taken, and files_held: bytes of memory
    that the files took then.
    """

    left_out = ""

    def __init__(self, machine: Machine, memory: LoaderMemory) -> None:
        self.machine = machine
        self.memory = memory
        self.outcome = Outcome.HANG
        self.reason = ""
        self.handed_over: HandedOver | None = None
        self.kernel_detail: dict[str, Any] = {}
        self.tries: list[KernelTry] = []
        self.kernel: KernelImage | None = None
        self.files_held = 0

    @property
    def profile(self) -> Profile:
        """The version of PV-GRUB that ran."""
        return self.machine.profile

    def forget_files(self) -> None:
        """Let go of the files that were loaded, once the run has been judged: they may be large."""
        self.machine.kernel_image = self.machine.kernel_place = self.machine.handover = None
        self.machine.module_area = ModuleArea()


def run(
    disks: Sequence[AttachedDisk],
    profile: Profile,
    *,
    unpack: bool = True,
    planned: Mapping[tuple[int, int], PlannedFiles] | None = None,
    memory: LoaderMemory | None = None,
    console: Console = nobody,
    digests: bool = False,
) -> Boot:
    """Run PV-GRUB with the disks attached until it hands over a kernel, waits or dies.

    disks: in any order; they are sorted by vbd number as init_disk() in stubdom/grub/mini-os.c does.
    unpack: False stops at the kernel's headers instead of unpacking it. planned: files that volumes will have, by
    drive (0x80 for hd0) and first sector, as if they were there already. memory: of whoever asks several times, where
    what the loader finds out about kernels is remembered. console: who is there. digests: SHA-256 of what is handed
    over is wanted as well. Raises ImageError when the host cannot read an image.
    """
    return _run(disks, profile, cmain, unpack, memory=memory, planned=planned, console=console, digests=digests)


def run_entry(
    disks: Sequence[AttachedDisk],
    profile: Profile,
    config: str,
    number: int,
    *,
    unpack: bool = True,
    memory: LoaderMemory | None = None,
    planned: Mapping[tuple[int, int], PlannedFiles] | None = None,
) -> Boot:
    """Run one entry of a menu by itself, without its fallbacks, as if it were the default.

    config: path of the config file, with its device. number: the entry, from 0; one that is not there ends in
    Outcome.MENU, like one that boots nothing. Other arguments and errors as for run().
    """

    def start(machine: Machine) -> None:
        machine.config_file = config.encode("utf-8", "surrogateescape")
        try:
            grub_open(machine, machine.config_file)
        except GrubError:
            return
        machine.errnum = ErrNum.NONE
        machine.config_opened = machine.menu_path = config
        menu = read_menu(machine)
        start_terminal(machine)
        machine.fallback_entryno = -1
        machine.first_default_entry = machine.current_entryno = number
        if number < len(menu):
            # An entry that leads to another menu is not followed there.
            with suppress(Restart):
                run_script(machine, menu.commands(number))

    return _run(disks, profile, start, unpack, memory=memory, planned=planned)


def _run(
    disks: Sequence[AttachedDisk],
    profile: Profile,
    start: Callable[[Machine], None],
    unpack: bool,
    *,
    memory: LoaderMemory | None,
    planned: Mapping[tuple[int, int], PlannedFiles] | None = None,
    console: Console = nobody,
    digests: bool = False,
) -> Boot:
    """Run a machine that begins with `start`; when that returns, PV-GRUB is in its menu."""
    ordered = sorted(disks, key=lambda disk: disk.vbd)
    terminal = Terminal(console())

    def kexec(machine: Machine, handover: Handover) -> None:
        _load_kernel(boot, handover, unpack, digests)

    memory = memory or LoaderMemory()
    machine = Machine(profile, [attached.disk for attached in ordered], terminal, kexec, memory.budget)
    machine.planned = planned
    boot = Boot(machine, memory)
    for number, attached in enumerate(ordered):
        terminal.printk(f"vbd {attached.vbd} is hd{number}\n".encode())
    try:
        start(machine)
    except Stop as stop:
        boot.outcome = stop.outcome
        boot.reason = stop.reason
    except GivenUp as error:
        boot.outcome = Outcome.TIMEOUT if error.timeout else Outcome.HANG
        boot.reason = str(error)
    else:
        boot.outcome = Outcome.MENU
    return boot


def _load_kernel(boot: Boot, handover: Handover, unpack: bool, digests: bool) -> None:
    """Give the kernel to libxc's loader; raises GrubError 9 or 13 when it is refused (as kexec() in kexec.c)."""
    # Only now, so that a run that never gets here starts faster.
    from pvgrub_sim.xen.loader import KernelRefused, parse_image

    def log(line: str) -> None:
        machine.term.printk(line.encode() + b"\n")

    machine = boot.machine
    attempt = machine.current_entryno, machine.kernel_path or ""
    boot.handed_over = HandedOver(
        len(handover.kernel),
        Digest(handover.kernel, sha256=digests),
        len(handover.module),
        Digest(handover.module, sha256=digests),
        handover.cmdline,
    )
    try:
        image = parse_image(handover.kernel, machine.profile, log, unpack=unpack, memory=boot.memory)
    except KernelRefused as refused:
        boot.kernel_detail = dict(refused.detail)
        if not refused.number:
            raise Stop(Outcome.CRASH, refused.reason) from None
        told = refused_try(*attempt, handover.kernel, refused.refusal, boot.memory)
        boot.tries.append(told._replace(menu=machine.menu_path))
        machine.fail(ErrNum(refused.number))
    boot.kernel_detail = dict(image.detail)
    boot.kernel, boot.files_held = image, memory_held(machine)
    boot.tries.append(KernelTry(*attempt, menu=machine.menu_path))


def refused_try(entry: int, path: str, kernel: bytes, refusal: Refusal, memory: LoaderMemory) -> KernelTry:
    """What there is to tell of a kernel that was refused; memory: of the run."""
    from pvgrub_sim.xen.inspect import examine

    return KernelTry(entry, path, refusal, examine(kernel, (), memory), bytes(kernel[:HEAD]))


def run_auto(
    disks: Sequence[AttachedDisk],
    profile: Profile,
    *,
    unpack: bool = True,
    memory: LoaderMemory | None = None,
    console: Console = nobody,
    digests: bool = False,
) -> Boot:
    """Run the build of PV-GRUB whose width is that of the first kernel tried.

    The 64-bit build runs first; when what it refuses first is a kernel of the other width, the run is that of
    the 32-bit build. Arguments and errors as for run().
    """
    memory = memory or LoaderMemory()
    boot = run(disks, profile._replace(arch="x86_64"), unpack=unpack, memory=memory, console=console, digests=digests)
    first_refusal = next((tried.cause for tried in boot.tries if tried.cause), None)
    if first_refusal is not None and first_refusal.other_build:
        return run(disks, profile._replace(arch="i386"), unpack=unpack, memory=memory, console=console, digests=digests)
    return boot
