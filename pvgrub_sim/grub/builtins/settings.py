"""Commands of the menu's head, and those about passwords and other menus."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.machine import MAX_FALLBACK_ENTRIES, Machine, PasswordType
from pvgrub_sim.grub.stop import Restart
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import Outcome

PASSWORD_BUFLEN = 0x200
CONFIG_FILE_BUFLEN = 0x60


@builtin("default", Flag.MENU, "Chooses the entry that boots by itself, from 0; `saved` takes the `default` file's.")
def default(m: Machine, arg: bytes, flags: int) -> None:
    """Set default_entry; raises GrubError 23 or 35 for what is no number, which changes nothing."""
    if arg == b"saved":
        m.default_entry = m.saved_entryno
    else:
        m.default_entry = safe_parse_maxint(m, arg)[0]


@builtin("fallback", Flag.MENU, "Lists up to eight entries to try, in order, when one fails with an error.")
def fallback(m: Machine, arg: bytes, flags: int) -> None:
    """Set the fallback entries; raises GrubError 23 or 35 at a word that is no number."""
    count = 0
    while arg:
        # QUIRK: an error leaves what was already overwritten, and the old fallback_entryno with it.
        number, at = safe_parse_maxint(m, arg)
        arg = arg[at:]
        if number in m.fallback_entries[:count]:
            # QUIRK: the blank behind a duplicate is not skipped, so another number there is an error.
            continue
        m.fallback_entries[count] = number
        count += 1
        if count == MAX_FALLBACK_ENTRIES:
            break
        arg = skip_to(arg)
    if count < MAX_FALLBACK_ENTRIES:
        m.fallback_entries[count] = -1
    m.fallback_entryno = 0 if count else -1


@builtin("timeout", Flag.MENU, "Seconds until the default entry boots; without it the menu waits for ever.")
def timeout(m: Machine, arg: bytes, flags: int) -> None:
    """Set grub_timeout; raises GrubError 23 or 35 for what is no number, which changes nothing."""
    m.grub_timeout = safe_parse_maxint(m, arg)[0]


@builtin("hiddenmenu", Flag.MENU, "Hides the menu while the timeout runs; a config file loaded later inherits it.")
def hiddenmenu(m: Machine, arg: bytes, flags: int) -> None:
    """Clear show_menu."""
    m.show_menu = False


@builtin("title", Flag.TITLE, "Begins an entry; it counts once a known command follows.")
def title(m: Machine, arg: bytes, flags: int) -> None:
    """Never called: the parser deals with titles itself."""


@builtin(
    "password",
    Flag.MENU | Flag.CMDLINE | Flag.NO_ECHO,
    "In the menu's head: keeps editing and prompt away, but not the unattended boot. In an entry: waits for the "
    "password. `--md5` is not compiled in: no password matches it.",
)
def password(m: Machine, arg: bytes, flags: int) -> None:
    """Set or ask for a password; raises GrubError 28 when it is too long, 32 when the wrong one is typed."""
    kind = PasswordType.PLAIN
    if arg.startswith(b"--"):
        kind = PasswordType.UNSUPPORTED
        arg = skip_to(arg)
    if flags & (Flag.CMDLINE | Flag.SCRIPT):
        # Only where somebody is asked: hardly any menu does.
        from pvgrub_sim.grub.builtins.passwords import check_password
        from pvgrub_sim.grub.console.line_editor import get_cmdline

        typed = get_cmdline(m, b"Password: ", b"", 31, Outcome.WAITS, echo=ord("*"))
        if not check_password(typed or b"", first_word(arg), kind):
            m.fail(ErrNum.PRIVILEGED)
        return
    if len(arg) + 2 > PASSWORD_BUFLEN:
        m.fail(ErrNum.WONT_FIT)
    m.password = arg
    m.password_type = kind


@builtin("lock", Flag.CMDLINE, "Error 32 when the menu has a password that was not given.")
def lock(m: Machine, arg: bytes, flags: int) -> None:
    """End the entry unless somebody is authenticated; raises GrubError 32."""
    if not m.auth and m.password is not None:
        m.fail(ErrNum.PRIVILEGED)


@builtin(
    "configfile",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Starts anew with another config file; root device, initrd and hiddenmenu are kept, everything else is not. A "
    "file that names itself without end is reported as a hang.",
)
def configfile(m: Machine, arg: bytes, flags: int) -> None:
    """Restart stage 2 with a config file, by raising Restart; raises GrubError when the file cannot be opened."""
    grub_open(m, arg)
    grub_close(m)
    if len(arg) >= CONFIG_FILE_BUFLEN:
        # QUIRK: copied without a look at the buffer's size.
        m.undefined.append(f"configfile's argument of {len(arg)} bytes runs over a buffer of {CONFIG_FILE_BUFLEN}")
    m.config_file = arg
    m.auth = False
    raise Restart
