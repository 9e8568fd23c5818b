"""Commands about a picture that a Xen console never shows."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.console.keys import getkey
from pvgrub_sim.grub.console.terminal import TermKind
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import Outcome

ANYWHERE = Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST
SPLASH_LENGTH = 256
COLORS = (
    b"black", b"blue", b"green", b"cyan", b"red", b"magenta", b"brown", b"light-gray",
    b"dark-gray", b"light-blue", b"light-green", b"light-cyan", b"light-red", b"light-magenta", b"yellow", b"white",
)  # fmt: skip
BACKGROUNDS = COLORS[:8]


@builtin("foreground", ANYWHERE, "Nothing; a colour of other than six digits fails without an error.")
def foreground(m: Machine, arg: bytes, flags: int) -> None:
    """Set a colour."""


@builtin("background", ANYWHERE, "Nothing; a colour of other than six digits fails without an error.")
def background(m: Machine, arg: bytes, flags: int) -> None:
    """Set a colour."""


@builtin("border", ANYWHERE, "Nothing; a colour of other than six digits fails without an error.")
def border(m: Machine, arg: bytes, flags: int) -> None:
    """Set a colour."""


@builtin("shade", ANYWHERE, "Nothing but a look at the number.")
def shade(m: Machine, arg: bytes, flags: int) -> None:
    """Switch shades; raises GrubError 23 or 35 for what is no number."""
    safe_parse_maxint(m, arg)


@builtin("viewport", ANYWHERE, "Nothing but a look at the four numbers; missing or bad ones fail without an error.")
def viewport(m: Machine, arg: bytes, flags: int) -> None:
    """Set the window; raises GrubError 23 or 35 for what is no number."""
    for _ in range(4):
        if not arg:
            return
        arg = arg.lstrip(b" \t")
        _, at = safe_parse_maxint(m, arg)
        arg = arg[at:]
        arg = arg[len(arg.split(b" ")[0]) :]


@builtin(
    "splashimage",
    ANYWHERE,
    "Makes `terminal graphics` possible. In the menu's head it switches to the graphics terminal, which cannot be "
    "started without a frame buffer, so the menu appears on the console all the same.",
)
def splashimage(m: Machine, arg: bytes, flags: int) -> None:
    """Choose a picture; a name of more than 256 characters waits for a key."""
    if len(arg) > SPLASH_LENGTH:
        m.term.write(b"Splash image filename too large\nPress any key to continue...")
        getkey(m, Outcome.WAITS, "splashimage waits for a key: its file name is too long")
        return
    m.term.need_init[TermKind.GRAPHICS] = False
    if flags == Flag.MENU:
        m.term.kind = TermKind.GRAPHICS


@builtin("color", ANYWHERE, "Nothing but a look at the colours: Error 23 for a name that is none.")
def color(m: Machine, arg: bytes, flags: int) -> None:
    """Set the menu's colours, which the console does not have; raises GrubError 23 or 35 for what is no colour."""
    text = bytearray(arg)
    second = len(arg) - len(skip_to(arg))
    normal = _color_number(text, 0)
    if normal is None:
        safe_parse_maxint(m, _string(text, 0))
    if _string(text, second) and _color_number(text, second) is None:
        safe_parse_maxint(m, _string(text, second))


def _string(text: bytearray, at: int) -> bytes:
    return bytes(text[at:]).partition(b"\0")[0]


def _color_number(text: bytearray, at: int) -> int | None:
    """A colour of the form FOREGROUND/BACKGROUND.

    QUIRK: the slash is looked for in the whole rest of the line and overwritten with NUL, which cuts it there.
    """
    word = _string(text, at)
    slash = word.find(b"/")
    if slash < 0:
        return None
    text[at + slash] = 0
    front = word[:slash]
    blink = 0x80 if front.startswith(b"blink-") else 0
    front = front.removeprefix(b"blink-")
    if front not in COLORS:
        return None
    back = first_word(word[slash + 1 :])
    if at + slash + 1 + len(back) < len(text):
        text[at + slash + 1 + len(back)] = 0
    return (blink | COLORS.index(front) | BACKGROUNDS.index(back) << 4) if back in BACKGROUNDS else None
