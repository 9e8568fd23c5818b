"""Commands about the console: print, pause, clear, pager, help, terminal, terminfo."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, all_builtins, builtin
from pvgrub_sim.grub.console.keys import getkey
from pvgrub_sim.grub.console.terminal import MAX_LINES, Terminfo, TermKind
from pvgrub_sim.grub.console.terminfo import FIELDS, TERMINFO_LEN, escape, unescape
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import RestartCmdline
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import Outcome

SHORT_DOC_WIDTH = 39
LONG_DOC_WIDTH = 66
LEAST_LINES = 4
GRAPHICS_LINES = 30
TERMINAL_OPTIONS = (b"--dumb", b"--no-echo", b"--no-edit", b"--timeout=", b"--lines=", b"--silent")


@builtin("print", Flag.CMDLINE | Flag.MENU | Flag.NO_ECHO, "Prints its argument.")
def print_text(m: Machine, arg: bytes, flags: int) -> None:
    """Print a line."""
    m.term.write(arg + b"\n")


@builtin("pause", Flag.CMDLINE | Flag.NO_ECHO, "Prints its argument and waits for a key.")
def pause(m: Machine, arg: bytes, flags: int) -> None:
    """Print a line and wait; escape fails without an error, so it changes nothing."""
    m.term.write(arg + b"\n")
    getkey(m, Outcome.WAITS, "pause waits for a key")


@builtin("clear", Flag.CMDLINE | Flag.HELP_LIST, "Clears the screen.")
def clear(m: Machine, arg: bytes, flags: int) -> None:
    """Clear the screen."""
    m.term.cls()


@builtin("pager", Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST, "Switches the pager of the prompt on or off.")
def pager(m: Machine, arg: bytes, flags: int) -> None:
    """Set or toggle the pager; raises GrubError 30 for anything but on and off."""
    term = m.term
    if not arg:
        term.use_pager = not term.use_pager
    elif arg.startswith(b"on"):
        term.use_pager = True
    elif arg.startswith(b"off"):
        term.use_pager = False
    else:
        m.fail(ErrNum.BAD_ARGUMENT)
    term.write(b" Internal pager is now %s\n" % (b"on" if term.use_pager else b"off"))


def help_texts() -> dict[str, tuple[str, str]]:
    """What `help` prints of each command: its usage and its description."""
    # Only here: the two imports would slow down every start.
    import json
    from importlib.resources import files

    text = files("pvgrub_sim.grub.builtins").joinpath("help_texts.json").read_text("utf-8")
    return {name: (usage, description) for name, (usage, description) in json.loads(text).items()}


@builtin("help", Flag.CMDLINE | Flag.HELP_LIST, "Prints the commands, or how those are used whose names begin so.")
def show_help(m: Machine, arg: bytes, flags: int) -> None:
    """Print help."""
    everything = arg.startswith(b"--all")
    if everything:
        arg = skip_to(arg)
    texts = help_texts()
    builtins = all_builtins()
    usable = [name for name in sorted(builtins) if builtins[name].flags & Flag.CMDLINE]
    if not arg:
        listed = [name for name in usable if everything or builtins[name].flags & Flag.HELP_LIST]
        for index, name in enumerate(listed):
            m.term.write(texts[name.decode()][0].encode()[: SHORT_DOC_WIDTH - 1].ljust(SHORT_DOC_WIDTH))
            if index % 2:
                m.term.write(b"\n")
        if len(listed) % 2:
            m.term.write(b"\n")
        return
    while True:
        pattern = first_word(arg)
        for name in usable:
            if name.startswith(pattern):
                usage, description = texts[name.decode()]
                m.term.write(name + b": " + usage.encode() + b"\n")
                for line in fold(description):
                    m.term.write(b"    " + line.encode() + b"\n")
        arg = skip_to(arg)
        if not arg:
            return


def fold(text: str) -> list[str]:
    """A description in lines; the blank at which one ends stays with it."""
    lines: list[str] = []
    while text:
        length = len(text)
        if length > LONG_DOC_WIDTH:
            length = text.rfind(" ", 0, LONG_DOC_WIDTH) + 1
        lines.append(text[:length])
        text = text[length:]
    return lines


@builtin(
    "terminal",
    Flag.MENU | Flag.CMDLINE | Flag.HELP_LIST,
    "Prints the terminal, or chooses one: `console` is unknown (Error 30), `serial` and `graphics` are not "
    "initialised (Error 33; graphics is after splashimage, and PV-GRUB dies of printing on it).",
)
def terminal(m: Machine, arg: bytes, flags: int) -> None:
    """Choose a terminal; raises GrubError 30 for an unknown one or too few lines, 33 for one that is not ready."""
    term = m.term
    lines = 0
    while arg.startswith(TERMINAL_OPTIONS):
        if arg.startswith(b"--timeout="):
            safe_parse_maxint(m, arg, len(b"--timeout="))
        elif arg.startswith(b"--lines="):
            lines = safe_parse_maxint(m, arg, len(b"--lines="))[0]
            if lines < LEAST_LINES:
                m.fail(ErrNum.BAD_ARGUMENT)
        arg = skip_to(arg)
    if not arg:
        term.write(term.kind.value.encode() + b"\n")
        return
    kinds = {kind.value.encode(): kind for kind in TermKind}
    while arg:
        kind = kinds.get(first_word(arg))
        if kind is None:
            m.fail(ErrNum.BAD_ARGUMENT)
        # The serial terminal is never initialised here, since the command for it is missing. So the options, which
        # belong to the terminal that is chosen, never show.
        if term.need_init[kind]:
            m.fail(ErrNum.DEV_NEED_INIT)
        arg = skip_to(arg)
    if flags & Flag.CMDLINE:
        # Graphics cannot be started, so the console stays.
        term.max_lines = MAX_LINES
        term.cls()
        raise RestartCmdline
    term.kind = TermKind.GRAPHICS
    term.max_lines = lines or GRAPHICS_LINES


@builtin(
    "terminfo",
    Flag.MENU | Flag.CMDLINE | Flag.HELP_LIST,
    "Prints the terminal's control sequences or sets others (`--name` and `--cursor-address` are a must).",
)
def terminfo(m: Machine, arg: bytes, flags: int) -> None:
    """Set control sequences; raises GrubError 30 for unknown or missing options."""
    if not arg:
        for field in FIELDS:
            m.term.write(field.encode() + b"=" + escape(getattr(m.term.terminfo, field)) + b"\n")
        return
    # QUIRK: the fields lie one behind another, and a value too long for its own runs into the next.
    memory = bytearray(TERMINFO_LEN * len(FIELDS))
    while arg:
        word = first_word(arg)
        for index, field in enumerate(FIELDS):
            option = b"--" + field.replace("_", "-").encode() + b"="
            if word.startswith(option):
                value = unescape(word[len(option) :]) + b"\0"
                at = index * TERMINFO_LEN
                memory[at : at + len(value)] = value[: len(memory) - at]
                break
        else:
            m.fail(ErrNum.BAD_ARGUMENT)
        arg = skip_to(arg)
    values = [bytes(memory[index * TERMINFO_LEN :]).partition(b"\0")[0] for index in range(len(FIELDS))]
    if not values[0] or not values[1]:
        m.fail(ErrNum.BAD_ARGUMENT)
    m.term.terminfo = Terminfo(*values)
