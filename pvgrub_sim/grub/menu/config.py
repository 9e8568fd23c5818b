"""The config file: its lines, and the menu made of them (stage2/stage2.c:get_line_from_config, cmain)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

from pvgrub_sim.grub.builtins.table import Flag, find_command, run_builtin
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.file.blocks import BlockReader
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.grub.words import skip_to
from pvgrub_sim.model import Outcome

NEW_HEAPSIZE = 1500
"""Characters of a logical line that are kept (stage2/shared.h)."""
CONFIG_ROOM = 0x68000 - (0x7C00 + 60 * 1024)
"""Bytes between the config entries and the filesystem buffer in GRUB's scratch memory."""

CERTAIN_DEATH = 16 << 20
"""Bytes of a menu of which the last lie behind scratch memory (4 MiB) and all that is behind it: the first page tables
of the domain are there, which Xen lets nobody write (Xen's tools/libs/guest/xg_dom_x86.c:setup_pgtables_pv)."""
LINES_CHECKED = 1024

_TABS = bytes.maketrans(b"\t", b" ")
_BLANK = re.compile(rb"(?:[ \n]++|\\\n|#[^\n]*+(?<!\\)\n)*+")
"""Between lines: blanks, and comments that do not go on behind a backslash."""
_SPECIAL = frozenset(b" #\n\\")
BACKSLASH = 0x5C


class ConfigReader:
    """The open config file as logical lines.

    GRUB reads it byte by byte; this reads large blocks and comes to the same lines. Memory stays bounded
    however long a line is.
    """

    def __init__(self, m: Machine) -> None:
        self._m = m
        self._blocks = BlockReader(m)
        self._raw = b""
        self._carry = b""
        self._data = b""
        self._at = 0

    def __iter__(self) -> Iterator[bytes]:
        """The lines, of at most NEW_HEAPSIZE bytes each, none of them empty."""
        while True:
            data, at = self._data, self._at
            # Most lines are plain ones; the others are left to _next_odd_line().
            while self._data is data:
                end = data.find(b"\n", at)
                if not at < end <= at + NEW_HEAPSIZE or data[at] in _SPECIAL or data[end - 1] == BACKSLASH:
                    break
                line = data[at:end]
                self._at = at = end + 1
                yield line
            else:
                continue
            odd = self._next_odd_line()
            if odd is None:
                return
            yield odd

    def resync(self) -> None:
        """Read on from behind the last line: whatever was read ahead may now be read from elsewhere."""
        wanted = self._at - self._carried
        low, high = 0, len(self._raw)
        while low < high:
            middle = (low + high) // 2
            if len(self._raw[:middle].translate(None, b"\r")) < wanted:
                low = middle + 1
            else:
                high = middle
        self._blocks.position += low - len(self._raw)
        self._raw = self._carry = self._data = b""
        self._at = 0

    _carried = 0
    """Bytes at the start of _data that come from the block before."""

    def _fill(self) -> bool:
        """Get more data; False at the end of the file."""
        self._m.errnum = ErrNum.NONE
        self._raw = raw = self._blocks.read()
        self._m.tick(1 + (len(raw) >> 14))
        self._m.budget.take(len(raw))
        data = self._carry + (raw.translate(_TABS, b"\r") if b"\t" in raw or b"\r" in raw else raw)
        self._carried = len(self._carry)
        self._carry = b""
        self._at = 0
        # A backslash and the newline it escapes are kept together.
        if self._raw and data.endswith(b"\\"):
            self._carry = b"\\"
            data = data[:-1]
        self._data = data
        return bool(self._raw or data)

    def _next_odd_line(self) -> bytes | None:
        """The next line, whatever is in it; None at the end of the file."""
        line = bytearray()
        comment = False
        while True:
            if self._at >= len(self._data) and not self._fill():
                return bytes(line) if line else None
            data, at = self._data, self._at
            if not line and not comment:
                blank = _BLANK.match(data, at)
                at = blank.end() if blank else at
                if at >= len(data):
                    self._at = at
                    continue
                comment = data[at] == ord("#")
            end = data.find(b"\n", at)
            if end > at and data[end - 1] == BACKSLASH:
                match = re.compile(rb"(?<!\\)\n").search(data, end)
                end = match.start() if match else -1
            found = end >= 0
            end = end if found else len(data)
            self._at = end + 1 if found else end
            if not comment:
                _append(line, data, at, end)
                if found:
                    return bytes(line)
            elif found:
                comment = False


def _append(line: bytearray, data: bytes, at: int, end: int) -> None:
    """Add data[at:end] to a line, in which a backslash and a newline make one space."""
    while True:
        escaped = data.find(b"\\\n", at, end)
        stop = end if escaped < 0 else escaped + 1
        room = NEW_HEAPSIZE - len(line)
        if room > 0:
            line += data[at : min(stop, at + room)]
        if escaped < 0:
            return
        # QUIRK: the space takes the place of the last character kept, which is the backslash only while the line
        # is not over its limit.
        line[-1] = ord(" ")
        if len(line) >= NEW_HEAPSIZE:
            return
        at = escaped + 2


class Menu:
    """Titles and commands of the entries, kept as GRUB keeps them: strings that end in NUL, one behind another."""

    def __init__(self) -> None:
        self._titles = bytearray()
        self._commands = bytearray()
        self._title_at = array("Q")
        self._commands_at = array("Q")
        self._title: bytes | None = None
        self._start = 0

    def __len__(self) -> int:
        return len(self._title_at)

    @property
    def size(self) -> int:
        """Bytes that GRUB needs for it."""
        return len(self._titles) + len(self._commands) + len(self) + 2

    def begin(self, title: bytes) -> None:
        """A `title` line: it ends the entry before it, or replaces it when that had no commands."""
        self.finish()
        self._title = title

    @property
    def in_entry(self) -> bool:
        """True behind the first `title` line."""
        return self._title is not None

    def add(self, line: bytes) -> None:
        """A command of the entry that has begun."""
        self._commands += line
        self._commands.append(0)

    def finish(self) -> None:
        """The end of the entry that has begun: it counts when it has commands."""
        if self._title is None or len(self._commands) == self._start:
            return
        self._title_at.append(len(self._titles))
        self._commands_at.append(self._start)
        self._titles += self._title + b"\0"
        self._start = len(self._commands)

    def title(self, number: int) -> bytes:
        """An entry's title."""
        at = self._title_at[number]
        return bytes(self._titles[at : self._titles.index(0, at)])

    def lose_titles(self) -> None:
        """Make every title empty."""
        self._titles = bytearray(len(self) + 1)
        self._title_at = array("Q", range(len(self)))

    def titles(self, first: int) -> list[bytes]:
        """The titles from number `first` on that a menu box of 12 lines may show."""
        return [self.title(number) for number in range(first, min(first + 13, len(self)))]

    def commands(self, number: int) -> Iterator[bytes]:
        """An entry's command lines."""
        at = self._commands_at[number]
        end = self._commands_at[number + 1] if number + 1 < len(self) else self._start
        while at < end:
            stop = self._commands.index(0, at)
            yield bytes(self._commands[at:stop])
            at = stop + 1


def read_menu(m: Machine) -> Menu:
    """Read the open config file: runs the commands above the first title, collects the entries below.

    errnum is set afterwards when the file could not be read to its end.
    """
    menu = Menu()
    reader = ConfigReader(m)
    for number, line in enumerate(reader):
        m.tick()
        if not number % LINES_CHECKED and menu.size > CERTAIN_DEATH:
            raise Stop(Outcome.CRASH, "the menu is written far behind GRUB's memory, over its page tables")
        text = line.partition(b"\0")[0] if b"\0" in line else line
        builtin = find_command(text)
        if builtin is None:
            # QUIRK: dropped in silence, inside an entry as well.
            continue
        if builtin.is_title:
            menu.begin(skip_to(text, after_equal=True))
        elif menu.in_entry:
            menu.add(text)
        elif builtin.in_head:
            before = m.current_drive, len(m.events)
            run_builtin(m, builtin, skip_to(text, after_equal=True), Flag.MENU)
            m.errnum = ErrNum.NONE
            if before != (m.current_drive, len(m.events)):
                # QUIRK: `unhide (hd1)` and its like leave the file to be read from another drive.
                reader.resync()
    menu.finish()
    if m.errnum:
        # QUIRK: while errnum is set, grub_memmove() moves nothing, and the titles stay behind.
        menu.lose_titles()
    if menu.size > CONFIG_ROOM:
        m.undefined.append(
            f"the menu takes {menu.size} bytes, more than the {CONFIG_ROOM} there are before GRUB's filesystem buffer"
        )
    return menu
