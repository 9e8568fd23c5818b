"""Drawing the menu's box (stage2/stage2.c:print_border, print_entries, print_entry, print_entries_raw)."""

from __future__ import annotations

from pvgrub_sim.grub.console.terminal import (
    DISP_DOWN,
    DISP_HORIZ,
    DISP_LL,
    DISP_LR,
    DISP_RIGHT,
    DISP_UL,
    DISP_UP,
    DISP_UR,
    DISP_VERT,
    Terminal,
)

COL_END = 80
BOX_SIZE = 12
BOX_TOP = 3

KEYS_HELP_LOCKED = (
    b"    Press enter to boot the selected OS or 'p' to enter a\n    password to unlock the next set of features."
)
KEYS_HELP_MENU = (
    b"    Press enter to boot the selected OS, 'e' to edit the\n    commands before booting, or 'c' for a command-line."
)
KEYS_HELP_EDIT = (
    b"    Press 'b' to boot, 'e' to edit the selected command in the\n"
    b"    boot sequence, 'c' for a command-line, 'o' to open a new line\n"
    b"    after ('O' for before) the selected line, 'd' to remove the\n"
    b"    selected line, or escape to go back to the main menu."
)


def print_border(term: Terminal) -> None:
    """The frame around the entries."""
    y = BOX_TOP
    term.highlight(False)
    term.gotoxy(1, y)
    _line(term, DISP_UL, DISP_UR)
    for row in range(1, BOX_SIZE + 1):
        term.gotoxy(1, y + row)
        term.put(DISP_VERT)
        term.gotoxy(COL_END - 5, y + row)
        term.put(DISP_VERT)
    term.gotoxy(1, y + BOX_SIZE + 1)
    _line(term, DISP_LL, DISP_LR)
    term.highlight(False)


def _line(term: Terminal, left: int, right: int) -> None:
    term.put(left)
    for _ in range(COL_END - 7):
        term.put(DISP_HORIZ)
    term.put(right)


def print_keys_help(term: Terminal, text: bytes) -> None:
    """The lines below the frame."""
    term.write(b"\n    Use the ")
    term.put(DISP_UP)
    term.write(b" and ")
    term.put(DISP_DOWN)
    term.write(b" keys to select which entry is highlighted.\n" + text)


def print_entry(term: Terminal, row: int, highlight: bool, text: bytes) -> None:
    """One line of the box; row: counted from 0 at its top."""
    y = BOX_TOP + 1 + row
    term.highlight(False)
    if highlight:
        term.highlight(True)
    term.gotoxy(2, y)
    width = COL_END - 8 - 3
    term.write(b" " + text[:width])
    if len(text) > width:
        term.put(DISP_RIGHT)
        term.write(b"  ")
    else:
        term.write(b" " * (width + 3 - len(text)))
    term.gotoxy(COL_END - 6, y)
    term.highlight(False)


def print_entries(term: Terminal, first: int, entryno: int, texts: list[bytes]) -> None:
    """The whole box; first: number of the entry in its first line; texts: the entries from there on, 13 suffice."""
    # QUIRK: an empty title is never stepped over, so everything behind it looks empty too.
    if b"" in texts:
        texts = texts[: texts.index(b"")]
    term.gotoxy(COL_END - 3, BOX_TOP + 1)
    if first:
        term.put(DISP_UP)
    else:
        term.put(ord(" "))
    for row in range(BOX_SIZE):
        print_entry(term, row, row == entryno, texts[row] if row < len(texts) else b"")
    term.gotoxy(COL_END - 3, BOX_TOP + BOX_SIZE)
    if len(texts) > BOX_SIZE:
        term.put(DISP_DOWN)
    else:
        term.put(ord(" "))
    term.gotoxy(COL_END - 6, BOX_TOP + 1 + entryno)
