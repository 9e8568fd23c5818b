"""Names in FAT directories as fat_dir() in stage2/fsys_fat.c puts them together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pvgrub_sim.grub.fs.names import c_string
from pvgrub_sim.ondisk import fat
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

_UNTIL_SPACE: Final = re.compile(rb"[^ \t\n\v\f\r\0]*")


class NamedEntry(NamedTuple):
    """A directory entry with its names: the long one is None when there is none that belongs to it."""

    entry: bytes
    long: bytes | None
    short: bytes


def short_name(entry: bytes) -> bytes:
    """The 8.3 name in lower case, with a dot only when there is an extension."""
    # QUIRK: short names are compared in lower case whatever the case bits say, and a name asked for in upper
    # case is never found; the first byte 0x05 stays what it is.
    base, extension = _UNTIL_SPACE.match(entry, 0, 8), _UNTIL_SPACE.match(entry, 8, 11)
    assert base
    assert extension
    if extension[0]:
        return (base[0] + b"." + extension[0]).lower()
    return base[0].lower()


def long_name_part(entry: bytes) -> bytes:
    """The 13 characters of a long name's entry.

    QUIRK: of each UTF-16 character only the low byte is kept.
    """
    return entry[1:11:2] + entry[14:26:2] + entry[28:32:2]


def named_entries(entries: Iterable[bytes]) -> Iterator[NamedEntry]:
    """The entries that fat_dir() looks at, up to the first that begins with a zero byte.

    Long names are put together by the order of their entries and the checksum alone; deleted entries of a long
    name take part like others, as their attributes are all that is looked at.
    """
    slot = -2
    checksum = -1
    text = b""
    for entry in entries:
        first, attributes = entry[0], entry[11]
        if not first:
            return
        if attributes == fat.ATTR_LONG_NAME:
            # QUIRK: a deleted entry (0xe5) counts as the last part of a long name of 37 parts.
            if first & fat.LAST_LONG_ENTRY:
                first &= 0x3F
                slot = first
                text = b""
                checksum = entry[13]
            if first != slot or slot == 0 or checksum != entry[13]:
                checksum = -1
                continue
            slot -= 1
            text = long_name_part(entry) + text
            continue
        if first == fat.ENTRY_FREE or attributes & fat.ATTR_NOT_A_FILE:
            continue
        long = None
        if checksum != -1 and slot == 0:
            slot = -2
            if fat.short_name_checksum(entry[:11]) == checksum:
                long = c_string(text)
        yield NamedEntry(entry, long, short_name(entry))


def find_entry(entries: Iterable[bytes], name: bytes) -> bytes | None:
    """The first entry that has this long (exact) or short (lower-case) name."""
    for candidate in named_entries(entries):
        if name in (candidate.short, candidate.long):
            return candidate.entry
    return None


def shown_names(entries: Iterable[bytes]) -> Iterator[bytes]:
    """The names that completion shows: the long one where there is one."""
    for candidate in named_entries(entries):
        yield candidate.short if candidate.long is None else candidate.long
