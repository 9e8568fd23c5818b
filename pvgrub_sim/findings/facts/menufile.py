"""menu.lst with line numbers: the entries as PV-GRUB numbers them, and what it drops on the way."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.grub.builtins.table import Flag, find_command
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_BYTES: Final = 1 << 20
"""Bytes of a config file that the rules look at; of a larger one they say nothing."""
AUTOMAGIC: Final = ("# kopt=", "# groot=", "# defoptions=")
"""With one `#` and a blank: update-grub reads these, and `## ` are comments (Debian, grub-legacy, update-grub)."""


class Line(NamedTuple):
    """A logical line: number of its first physical line (from 1), how many it spans, and its text.

    command, argument: as GRUB cuts them. known: PV-GRUB has that command.
    """

    number: int
    span: int
    text: str
    command: str
    argument: str
    known: bool

    @property
    def device(self) -> str:
        """The device string that a root line names, as far as its closing parenthesis."""
        device, closed, _ = self.argument.partition(")")
        return device + closed if closed and device.startswith("(") else self.argument.split(" ")[0]

    @property
    def file(self) -> str:
        """The file that a kernel, initrd or module line names."""
        words = self.argument.split()
        while words and self.command == "kernel" and words[0].startswith("--"):
            words.pop(0)
        return words[0] if words else ""

    @property
    def arguments(self) -> str:
        """What stands behind the file of a kernel line."""
        file = self.file
        return self.argument.partition(file)[2].lstrip(" ") if file else ""


class Entry:
    """An entry of the menu: its number (None when PV-GRUB drops it for want of commands), title line and lines."""

    def __init__(self, title: Line) -> None:
        self.title = title
        self.number: int | None = None
        self.lines: list[Line] = []

    @property
    def name(self) -> str:
        """`entry 0 'Linux'`."""
        return f"entry {self.number} '{self.title.argument}'"

    @property
    def opening(self) -> str:
        """The same at the start of a sentence."""
        return f"Entry {self.number} '{self.title.argument}'"

    def first(self, *commands: str) -> Line | None:
        """The first known line with one of the commands."""
        return next((line for line in self.lines if line.known and line.command in commands), None)

    def files(self) -> Iterator[tuple[Line, str]]:
        """The lines that name a file, each with the root device in force there ("" before the first root)."""
        root = ""
        for line in self.lines:
            if not line.known:
                continue
            if line.command in ("root", "rootnoverify"):
                root = line.device
            elif line.command in ("kernel", "initrd", "module", "modulenounzip", "configfile") and line.file:
                yield line, root


class MenuFile:
    """A config file: header lines before the first title, and all entries, dropped ones included.

    first_title: physical line of the first title. automagic: the comments in which Debian's update-grub keeps what it
    writes into the entries of new kernels (`# kopt=`, `# groot=`, `# defoptions=`).
    """

    def __init__(self) -> None:
        self.header: list[Line] = []
        self.automagic: list[Line] = []
        self.entries: list[Entry] = []
        self.first_title: int | None = None

    def entry(self, number: int | None) -> Entry | None:
        """The entry of PV-GRUB's number."""
        return next((entry for entry in self.entries if number is not None and entry.number == number), None)

    @property
    def count(self) -> int:
        """How many entries PV-GRUB sees."""
        return sum(entry.number is not None for entry in self.entries)

    def setting(self, command: str) -> Line | None:
        """The last line of the header with that command."""
        return next((line for line in reversed(self.header) if line.command == command), None)


def parse(raw: bytes) -> MenuFile:
    """Read a config file; anything is one (stage2/stage2.c:get_line_from_config, cmain)."""
    menu = MenuFile()
    number = 0
    for line in _logical_lines(raw):
        if line.text.startswith("#"):
            menu.automagic.append(line)
        elif line.known and line.command == "title":
            menu.entries.append(Entry(line))
            menu.first_title = menu.first_title or line.number
        elif menu.entries:
            menu.entries[-1].lines.append(line)
        else:
            menu.header.append(line)
    for entry in menu.entries:
        if any(line.known for line in entry.lines):
            entry.number = number
            number += 1
    return menu


def _logical_lines(raw: bytes) -> Iterator[Line]:
    text = raw.replace(b"\r", b"").replace(b"\t", b" ").decode("utf-8", "surrogateescape")
    pending: str | None = None
    start = 0
    physical = text.split("\n")
    for number, part in enumerate(physical, 1):
        if pending is None:
            start, pending = number, ""
        pending += part if pending else part.lstrip(" ")
        # Without a newline behind it a backslash is one character like any other.
        if pending.endswith("\\") and number < len(physical):
            pending = pending if pending.startswith("#") else (pending[:-1] + " ").lstrip(" ")
            continue
        if pending and (not pending.startswith("#") or pending.startswith(AUTOMAGIC)):
            yield _line(start, number - start + 1, pending)
        pending = None


def _line(number: int, span: int, text: str) -> Line:
    heard = text.partition("\0")[0]
    command = heard.partition(" ")[0].partition("=")[0]
    argument = heard[len(command) :].lstrip(" =")
    known = find_command(command.encode("utf-8", "surrogateescape")) is not None
    return Line(number, span, text, command, argument, known)


def may_stand_in_entry(line: Line) -> bool:
    """True for a command that an entry may hold (BUILTIN_CMDLINE)."""
    command = find_command(line.command.encode("utf-8", "surrogateescape"))
    return command is not None and bool(command.flags & Flag.CMDLINE)


def split_device(text: str) -> tuple[str, str]:
    """`(hd0,0)/boot` as `(hd0,0)` and `/boot`; the device is "" when there is none."""
    if not text.startswith("("):
        return "", text
    device, bracket, path = text.partition(")")
    return device + bracket, path


def parse_number(text: str) -> int | None:
    """A number as GRUB reads one at the start of a text, None when there is none."""
    digits = ""
    for character in text:
        if not ("0" <= character <= "9"):
            break
        digits += character
    return int(digits) if digits and len(digits) < 10 else None
