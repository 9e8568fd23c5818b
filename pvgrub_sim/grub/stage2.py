"""Stage 2 from the config lookup to the end of the run (stage2/stage2.c:cmain, stubdom/grub/mini-os.c:main)."""

from __future__ import annotations

from pvgrub_sim.grub.console.terminal import TermKind
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, MAX_FALLBACK_ENTRIES, Machine
from pvgrub_sim.grub.menu.booting import use_fallback
from pvgrub_sim.grub.menu.config import Menu, read_menu
from pvgrub_sim.grub.menu.menu import run_menu
from pvgrub_sim.grub.stop import Restart, Stop
from pvgrub_sim.model import EventKind, Outcome
from pvgrub_sim.typed import NoReturn

DEFAULT_FILE_BUFLEN = 0x60
"""Bytes, the final NUL included, of the names of the config file and of the `default` file beside it."""
DEFAULT_FILE_READ = 10
MAX_RESTARTS = 64
"""Restarts by `configfile` with nobody at the keyboard, after which it is taken to go on for ever."""


def cmain(m: Machine) -> NoReturn:
    """Run PV-GRUB to its end, which is always a Stop: the kernel handed over, a key wanted, halt, hang, crash.

    Afterwards the machine tells what happened: booted_entry, first_default_entry, config_opened, handover,
    kernel_path, initrd_path, boot_errors, events, and its terminal.
    """
    m.current_drive = GRUB_INVALID_DRIVE
    _choose_config(m)
    while True:
        try:
            _run_config(m)
        except Restart:
            m.restarts += 1
            if m.restarts > MAX_RESTARTS:
                raise Stop(Outcome.HANG, f"configfile restarts PV-GRUB for ever ({MAX_RESTARTS} times yet)") from None


def _choose_config(m: Machine) -> None:
    """The first place of the version's lookup where a config file opens; the last one when none does."""
    places = [path.encode("utf-8", "surrogateescape") for path in m.profile.config_paths]
    for place in places:
        m.config_file = place[: DEFAULT_FILE_BUFLEN - 1]
        if len(places) == 1:
            return
        try:
            grub_open(m, m.config_file)
        except GrubError:
            m.errnum = ErrNum.NONE
        else:
            grub_close(m)
            return


def _run_config(m: Machine) -> None:
    """One turn of cmain()'s loop: read the config file, show the menu or the prompt."""
    _init_config(m)
    _read_saved_entry(m)
    menu = _open_menu(m)
    start_terminal(m)
    if m.first_default_entry is None and menu:
        m.first_default_entry = m.default_entry
    if menu:
        run_menu(m, menu, m.default_entry)
    else:
        from pvgrub_sim.grub.menu.prompt import enter_cmdline

        enter_cmdline(m, forever=True)


def start_terminal(m: Machine) -> None:
    """Leave the graphics terminal that a splashimage in the menu's head has chosen: there is no frame buffer.

    As cmain() in stage2/stage2.c with the graphics patch: graphics_init() fails, and the first terminal is used.
    """
    if m.term.kind is TermKind.GRAPHICS:
        m.term.kind = TermKind.SERIAL


def _init_config(m: Machine) -> None:
    """Forget what the config file before has set; hiddenmenu is kept (stage2/builtins.c:init_config)."""
    m.term.count_lines = -1
    m.default_entry = 0
    m.password = None
    m.fallback_entryno = -1
    m.fallback_entries[0] = -1
    m.grub_timeout = -1


def default_file_of(config_file: bytes) -> bytes:
    """The name of the file that `default saved` reads: `default` in the config file's folder."""
    name = config_file[: DEFAULT_FILE_BUFLEN - 1]
    slash = name.rfind(b"/")
    if slash < 0:
        # QUIRK: without a slash the name is put one character before the buffer.
        return b"efault"
    return (name[: slash + 1] + b"default")[: DEFAULT_FILE_BUFLEN - 1]


def _read_saved_entry(m: Machine) -> None:
    m.saved_entryno = 0
    m.default_file = default_file_of(m.config_file)
    try:
        grub_open(m, m.default_file)
        text = grub_read(m, DEFAULT_FILE_READ)[: DEFAULT_FILE_READ - 1].partition(b"\0")[0]
        grub_close(m)
        m.saved_entryno = safe_parse_maxint(m, text[text.find(b":") + 1 :])[0]
    except GrubError:
        pass
    m.errnum = ErrNum.NONE


def _open_menu(m: Machine) -> Menu | None:
    """The menu of the config file; None when that cannot be opened."""
    try:
        grub_open(m, m.config_file)
    except GrubError:
        m.errnum = ErrNum.NONE
        return None
    m.errnum = ErrNum.NONE
    path = m.config_file.decode("utf-8", "backslashreplace")
    m.emit(EventKind.CONFIG, path=path, size=m.filemax)
    m.menu_path = path
    m.config_opened = m.config_opened or path
    _init_config(m)
    menu = read_menu(m)
    _check_fallbacks(m, len(menu))
    if m.default_entry >= len(menu):
        if m.fallback_entryno >= 0:
            m.default_entry = m.fallback_entries[0]
            use_fallback(m)
        else:
            m.default_entry = 0
    grub_close(m)
    return menu


def _check_fallbacks(m: Machine, count: int) -> None:
    """Remove fallback entries that the menu does not have."""
    if m.fallback_entryno < 0:
        return
    entries = m.fallback_entries
    index = 0
    while index < MAX_FALLBACK_ENTRIES and entries[index] >= 0:
        m.tick()
        if entries[index] < count:
            index += 1
        elif m.errnum:
            # QUIRK: while errnum is set, grub_memmove() moves nothing.
            raise Stop(Outcome.HANG, "the config file was not read to its end: PV-GRUB removes a fallback for ever")
        elif index < MAX_FALLBACK_ENTRIES - 1:
            # QUIRK: the last of eight is moved up but stays in its place as well.
            entries[index:-1] = entries[index + 1 :]
        else:
            raise Stop(Outcome.HANG, "the eighth fallback entry does not exist: PV-GRUB removes it for ever")
    if entries[0] < 0:
        m.fallback_entryno = -1
