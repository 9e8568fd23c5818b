"""Commands about files: cat, cmp, blocklist, fstest, savedefault."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.grub.builtins.formats import decimal, hexadecimal
from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, rawread, rawwrite
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.blocks import BlockReader
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import MAX_FALLBACK_ENTRIES, MOST_PRINTED, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import Outcome

_SHOWN = bytes(code if code in b" \t\r\n" or 0x20 <= code <= 0x7E else ord("?") for code in range(256))
PIECE = 1 << 20
"""Bytes that are read at a time: a multiple of every block, and of the window of gunzip."""
SCRATCH_ROOM = 3 << 20
"""Bytes of scratch memory that cmp and blocklist read into (4 MiB less the first)."""
SAVED_LENGTH = 10
"""Bytes of the `default` file that savedefault reads and writes."""


@builtin("cat", Flag.CMDLINE | Flag.HELP_LIST, "Prints a file; what is neither ASCII text nor white space as `?`.")
def cat(m: Machine, arg: bytes, flags: int) -> None:
    """Print a file; raises GrubError when it cannot be opened, and ends with errnum set when it cannot be read."""
    grub_open(m, arg)
    blocks = BlockReader(m)
    while data := blocks.read():
        m.tick()
        m.printed(len(data))
        m.term.write(data.translate(_SHOWN))
    grub_close(m)


def _check_room(m: Machine, size: int) -> None:
    """QUIRK: the files are read into scratch memory, however large they are."""
    if size > SCRATCH_ROOM:
        m.undefined.append(f"{size} bytes are read into {SCRATCH_ROOM} bytes of scratch memory")


@builtin("cmp", Flag.CMDLINE, "Prints where two files differ; a difference is no error.")
def cmp(m: Machine, arg: bytes, flags: int) -> None:
    """Compare two files; raises GrubError 30 without two names, or what reading meets."""
    second = skip_to(arg)
    if not arg or not second:
        m.fail(ErrNum.BAD_ARGUMENT)
    name1, name2 = first_word(arg), first_word(second)
    grub_open(m, name1)
    size = m.filemax
    _check_room(m, size)
    data1 = b"".join(_pieces(m, name1, 0))
    grub_close(m)
    if len(data1) != size:
        return
    grub_open(m, name2)
    _check_room(m, size + m.filemax)
    if size != m.filemax:
        sizes = hexadecimal(m, size), name1, hexadecimal(m, m.filemax), name2
        m.term.write(b"Differ in size: 0x%s [%s], 0x%s [%s]\n" % sizes)
        return
    # Lines are printed once all of the second file has been read without an error.
    lines = bytearray()
    at = 0
    for piece in _pieces(m, name2, size):
        _differences(m, lines, at, (data1[at : at + len(piece)], name1), (piece, name2))
        at += len(piece)
    grub_close(m)
    # What could not be read is zeros.
    _differences(m, lines, at, (data1[at:], name1), (bytes(size - at), name2))
    m.printed(len(lines))
    m.term.write(bytes(lines))


def _differences(m: Machine, lines: bytearray, at: int, one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    """Add a line for each byte in which two stretches differ, until there are more than are ever printed.

    at: their offset. one, other: the bytes, of equal length, and the name of the file.
    """
    if one[0] == other[0]:
        return
    for index, (left, right) in enumerate(zip(one[0], other[0], strict=True), at):
        if left != right:
            values = hexadecimal(m, _char(left)), one[1], hexadecimal(m, _char(right)), other[1]
            lines += b"Differ at the offset %d: 0x%s [%s], 0x%s [%s]\n" % (index, *values)
            if len(lines) > MOST_PRINTED:
                return


def _pieces(m: Machine, name: bytes, held: int) -> Iterator[bytes]:
    """The open file from here to its end, as one grub_read() into scratch memory; raises GrubError.

    held: bytes that lie there already. Raises Stop(CRASH) when they come to more than the domain's memory.
    """
    memory = m.profile.memory << 20
    while data := grub_read(m, PIECE):
        m.tick(len(data) >> 10)
        m.budget.take(len(data))
        if m.filepos + held > memory or (m.compressed_file and m.compressed_file.ended and m.filemax + held > memory):
            shown = name.decode("utf-8", "backslashreplace")
            raise Stop(Outcome.CRASH, f"{shown} is read into more memory than the {m.profile.memory} MiB of the domain")
        yield data
        if len(data) < PIECE:
            return


def _char(code: int) -> int:
    """A byte as C's signed char."""
    return code - 256 if code > 127 else code


class _BlockList:
    """Joins the sectors that the hook is told of into runs and prints them."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.printed = 0
        self.start = 0
        self.count = 0
        self.last_length = 0

    def __call__(self, sector: int, offset: int, length: int) -> None:
        if self.count > 0:
            if self.start + self.count == sector and offset == 0 and self.last_length == SECTOR_SIZE:
                self.count += 1
                self.last_length = length
                return
            self._end_run()
        if offset > 0:
            self._print(b"%s[%d-%d]" % (self._relative(sector), offset, offset + length))
        else:
            self.start, self.count, self.last_length = sector, 1, length

    def _end_run(self) -> None:
        start, count = self._relative(self.start), self.count
        if self.last_length == SECTOR_SIZE:
            self._print(b"%s+%d" % (start, count))
        elif count > 1:
            last = self._relative(self.start + count - 1)
            self._print(b"%s+%d,%s[0-%d]" % (start, count - 1, last, self.last_length))
        else:
            self._print(b"%s[0-%d]" % (start, self.last_length))
        self.count = 0

    def finish(self) -> None:
        """The last run; a sector of which less is used counts as a whole one."""
        if self.count > 0:
            self._print(b"%s+%d" % (self._relative(self.start), self.count))

    def _relative(self, sector: int) -> bytes:
        return decimal(sector - self.m.part_start)

    def _print(self, text: bytes) -> None:
        self.m.printed(len(text) + 1)
        self.m.term.write((b"," if self.printed else b"") + text)
        self.printed += 1


@builtin("blocklist", Flag.CMDLINE | Flag.HELP_LIST, "Prints the sectors that a file lies in.")
def blocklist(m: Machine, arg: bytes, flags: int) -> None:
    """Print a file's block list; raises GrubError when it cannot be opened or read."""
    grub_open(m, arg)
    _check_room(m, m.filemax)
    kind = b"h" if m.current_drive & 0x80 else b"f"
    m.term.write(b"(%sd%s" % (kind, decimal(m.current_drive & ~0x80)))
    if m.current_partition & 0xFF0000 != 0xFF0000:
        m.term.write(b",%d" % (m.current_partition >> 16 & 0xFF))
    if m.current_partition & 0xFF00 != 0xFF00:
        m.term.write(b",%c" % (ord("a") + (m.current_partition >> 8 & 0xFF)))
    m.term.write(b")")
    runs = _BlockList(m)
    m.disk_read_hook = runs
    some = False
    try:
        for _ in _pieces(m, first_word(arg), 0):
            some = True
    finally:
        # QUIRK: this also ends what fstest has begun.
        m.disk_read_hook = None
    if some:
        runs.finish()
        m.term.write(b"\n")
    # QUIRK: for an empty file the line is never ended.
    grub_close(m)


@builtin("fstest", Flag.CMDLINE, "Switches a trace of every sector read from files on or off.")
def fstest(m: Machine, arg: bytes, flags: int) -> None:
    """Toggle the trace."""
    if m.disk_read_hook:
        m.disk_read_hook = None
        m.term.write(b" Filesystem tracing is now off\n")
        return

    def tell(sector: int, offset: int, length: int) -> None:
        text = b"[%s,%d,%d]" % (decimal(sector), offset, length)
        m.printed(len(text))
        m.term.write(text)

    m.disk_read_hook = tell
    m.term.write(b" Filesystem tracing is now on\n")


@builtin(
    "savedefault",
    Flag.CMDLINE,
    "Writes the entry's number, or the one given, or the next fallback's, into the `default` file: in memory only, "
    "the sectors are reported. Error 15 without the file.",
    "stage2/builtins.c:savedefault_helper",
)
def savedefault(m: Machine, arg: bytes, flags: int) -> None:
    """Save the default entry; raises GrubError 30 with no fallback left, 23 or 35 for no number, or a read's."""
    if not flags & Flag.SCRIPT:
        m.fail(ErrNum.UNRECOGNIZED)
    entryno = _entry_to_save(m, arg)
    root_device = m.saved_drive, m.saved_partition
    m.saved_drive, m.saved_partition = m.boot_drive, m.install_partition
    try:
        _save_entry(m, entryno)
    finally:
        m.saved_drive, m.saved_partition = root_device


def _entry_to_save(m: Machine, arg: bytes) -> int:
    if not arg:
        return m.current_entryno
    if not arg.startswith(b"fallback"):
        return safe_parse_maxint(m, arg)[0]
    entries = m.fallback_entries
    index = 0
    for i in range(MAX_FALLBACK_ENTRIES):
        if entries[i] < 0:
            break
        if entries[i] == m.current_entryno:
            index = i + 1
            break
    if index >= MAX_FALLBACK_ENTRIES or entries[index] < 0:
        m.fail(ErrNum.BAD_ARGUMENT)
    return entries[index]


def _save_entry(m: Machine, entryno: int) -> None:
    grub_open(m, m.default_file)
    places: list[tuple[int, int, int]] = []

    def note(sector: int, offset: int, length: int) -> None:
        places.append((sector, offset, length))

    m.disk_read_hook = note
    try:
        data = grub_read(m, SAVED_LENGTH)
    except GrubError:
        data = b""
    finally:
        m.disk_read_hook = None
    grub_close(m)
    if len(places) > 2:
        m.fail(ErrNum.FSYS_CORRUPT)
    text = data[: SAVED_LENGTH - 1].partition(b"\0")[0]
    if b":" in text:
        # QUIRK: `PREVIOUS:ONCE` keeps PREVIOUS, whatever was asked for; no number there leaves an error behind.
        try:
            entryno = safe_parse_maxint(m, text.partition(b":")[0])[0]
        except GrubError:
            m.tick()
    new = (decimal(entryno) + b"\0").ljust(SAVED_LENGTH, b"\n")[:SAVED_LENGTH]
    if not places:
        m.undefined.append("savedefault writes to a sector that it never found out: the `default` file is empty")
        return
    sector, offset, length = places[0]
    _patch(m, sector, offset, new[: min(length, SAVED_LENGTH)])
    if length >= SAVED_LENGTH:
        return
    if len(places) < 2:
        # QUIRK: a file of less than ten bytes is taken for one that two sectors share.
        m.undefined.append("savedefault writes to a sector that it never found out: the `default` file is too short")
        return
    sector, offset, _ = places[1]
    _patch(m, sector, offset, new[length:])


def _patch(m: Machine, sector: int, offset: int, text: bytes) -> None:
    """Write some bytes of a sector; raises GrubError when it cannot be read or written."""
    data = bytearray(rawread(m, m.current_drive, sector, 0, SECTOR_SIZE))
    data[offset : offset + len(text)] = text
    rawwrite(m, m.current_drive, sector, bytes(data))
