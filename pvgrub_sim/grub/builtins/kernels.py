"""Commands that load and start: kernel, initrd, module, chainloader, boot."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.console.terminal import TermKind
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.load import load_image, load_initrd, load_module, pv_boot
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import KernelType, Machine
from pvgrub_sim.grub.words import is_substring, skip_to

KERNEL_TYPES = (b"netbsd", b"freebsd", b"openbsd", b"linux", b"biglinux", b"multiboot")
MB_CMDLINE_BUFLEN = 0x6000
SECTOR_SIZE = 512
BOOTSEC_SIGNATURE = b"\x55\xaa"


@builtin(
    "kernel",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Reads the whole file, whatever it is; the rest of the line is the kernel's command line. `--type` is checked "
    "and forgotten.",
)
def kernel(m: Machine, arg: bytes, flags: int) -> None:
    """Load a kernel; raises GrubError 30 for an unknown --type, 28 for a line too long, or what reading meets."""
    while True:
        if arg.startswith(b"--type="):
            if not arg[7:].startswith(KERNEL_TYPES):
                m.fail(ErrNum.BAD_ARGUMENT)
        elif not arg.startswith(b"--no-mem-option"):
            break
        arg = skip_to(arg)
    m.mb_cmdline = 0
    if len(arg) + 1 > MB_CMDLINE_BUFLEN:
        m.fail(ErrNum.WONT_FIT)
    m.kernel_type = KernelType.NONE
    load_image(m, arg)
    m.mb_cmdline += len(arg) + 1


@builtin(
    "initrd",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Reads the file in the place of any initrd or modules. Only the first word counts.",
)
def initrd(m: Machine, arg: bytes, flags: int) -> None:
    """Load an initrd; raises GrubError 19 without a kernel, or what reading meets."""
    if m.kernel_type is not KernelType.PV:
        m.fail(ErrNum.NEED_LX_KERNEL)
    load_initrd(m, arg)


@builtin(
    "module",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Packs the file, with its line, behind a header page and the modules before it; an initrd is dropped.",
)
def module(m: Machine, arg: bytes, flags: int) -> None:
    """Load a module; raises GrubError 20 without a kernel, 28 when there is no more room, or what reading meets."""
    if m.kernel_type is not KernelType.PV:
        m.fail(ErrNum.NEED_MB_KERNEL)
    if m.mb_cmdline + len(arg) + 1 > MB_CMDLINE_BUFLEN:
        m.fail(ErrNum.WONT_FIT)
    load_module(m, arg)
    m.mb_cmdline += len(arg) + 1


@builtin("modulenounzip", Flag.CMDLINE | Flag.HELP_LIST, "As module, without GRUB's gunzip.")
def modulenounzip(m: Machine, arg: bytes, flags: int) -> None:
    """Load a module as it is stored; errors as for module()."""
    m.no_decompression = True
    try:
        module(m, arg, flags)
    finally:
        m.no_decompression = False


@builtin(
    "chainloader",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Reads a boot sector and looks for its signature (Error 13 without, unless `--force`). It can never be started: "
    "Error 8 at boot.",
)
def chainloader(m: Machine, arg: bytes, flags: int) -> None:
    """Load a boot sector; raises GrubError 13 when it is none, or what reading meets."""
    force = is_substring(b"--force", arg)
    m.kernel_type = KernelType.NONE
    grub_open(m, skip_to(arg) if force else arg)
    data = grub_read(m, SECTOR_SIZE)
    grub_close(m)
    if m.errnum:
        raise GrubError(m.errnum)
    if len(data) != SECTOR_SIZE or (not force and data[510:] != BOOTSEC_SIGNATURE):
        m.fail(ErrNum.EXEC_FORMAT)
    m.kernel_type = KernelType.CHAINLOADER


@builtin(
    "boot",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Hands kernel, initrd or modules and command line to the kernel loader. It is implied at the end of an entry "
    "that loaded a kernel.",
)
def boot(m: Machine, arg: bytes, flags: int) -> None:
    """Start what was loaded: raises Stop when the loader takes it, GrubError 8 without a kernel, 9 or 13 when not."""
    # The graphics terminal is shut down first.
    m.term.kind = TermKind.SERIAL
    if m.kernel_type is not KernelType.PV:
        m.fail(ErrNum.BOOT_COMMAND)
    pv_boot(m)
