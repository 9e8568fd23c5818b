"""Device strings and numbers (stage2/disk_io.c:set_device, stage2/char_io.c:safe_parse_maxint)."""

from __future__ import annotations

from pvgrub_sim.cint import MAXINT
from pvgrub_sim.grub.disk.partitions import sane_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, NETWORK_DRIVE, WHOLE_DISK, Machine
from pvgrub_sim.values import Enum, NamedTuple

_HEX = b"0123456789abcdef"


def safe_parse_maxint(m: Machine, text: bytes, at: int = 0) -> tuple[int, int]:
    """Parse a decimal or 0x number at an index of `text`; returns it and the index behind it.

    Raises GrubError 23 where there is no digit, 35 when it does not fit a C int.
    As safe_parse_maxint() in stage2/char_io.c.
    """
    base = 10
    if text[at : at + 2].lower() == b"0x":
        at += 2
        base = 16
    value = 0
    start = at
    while at < len(text):
        digit = _HEX.find(text[at : at + 1].lower())
        if not 0 <= digit < base:
            break
        if value > (MAXINT - digit) // base:
            m.fail(ErrNum.NUMBER_OVERFLOW)
        value = value * base + digit
        at += 1
    if at == start:
        m.fail(ErrNum.NUMBER_PARSING)
    return value, at


class PartChoice(Enum):
    """How far a device string names a partition (part_choice in stage2/disk_io.c)."""

    UNSPECIFIED = 1
    DISK = 2
    CHOSEN = 3


class DeviceString(NamedTuple):
    """What a device string says.

    text: the string, completed where it ends with a device's letter. rest: what follows it, None when it does not
    end, and errnum is 11 then. incomplete: the string ends too early. disk_choice: it may still name any disk.
    """

    text: bytes
    rest: bytes | None = None
    incomplete: bool = False
    disk_choice: bool = True
    part_choice: PartChoice = PartChoice.UNSPECIFIED


def set_device(m: Machine, text: bytes) -> bytes:
    """Parse a device string such as `(hd0,1)`, make it the current device, return what follows it.

    As set_device() in stage2/disk_io.c. Raises GrubError 11, 12, 23 or 35.
    """
    rest = parse_device(m, text).rest
    if rest is None:
        raise GrubError(m.errnum)
    return rest


def parse_device(m: Machine, text: bytes) -> DeviceString:
    """Parse a device string as set_device() does, and tell more of it, for tab completion."""
    m.current_drive = m.saved_drive
    m.current_partition = WHOLE_DISK
    device = DeviceString(text, incomplete=not text)
    if text[:1] == b"(":
        device = _parse_parenthesis(m, text)
        if device.rest is not None and device.part_choice is PartChoice.UNSPECIFIED:
            return device
    sane_partition(m)
    if device.rest is None:
        m.errnum = ErrNum.DEV_FORMAT
    return device


def _parse_parenthesis(m: Machine, text: bytes) -> DeviceString:
    """What stands between the parentheses."""
    at = 1
    kind = text[1:2]
    if not kind:
        return DeviceString(text, b"")
    disk_choice = True
    if kind not in (b",", b")"):
        named = kind in (b"f", b"h") or (kind == b"n" and m.network_ready)
        named = named or (kind == b"c" and m.cdrom_drive != GRUB_INVALID_DRIVE)
        if named:
            if text[2:] in (b"", b"d"):
                # Only a device's letters, as in tab completion: it counts as a whole.
                return DeviceString(text[:2] + b"d", b"")
            at += 2
            if text[at - 1 : at] != b"d":
                # QUIRK: the number is parsed all the same, so that one too large is the error told, and the drive
                # it names becomes the current one.
                m.errnum = ErrNum.NUMBER_PARSING
        if kind == b"n" and m.network_ready:
            m.current_drive = NETWORK_DRIVE
        elif kind == b"c" and m.cdrom_drive != GRUB_INVALID_DRIVE:
            m.current_drive = m.cdrom_drive
        else:
            disk_choice = False
            try:
                m.current_drive, at = safe_parse_maxint(m, text, at)
            finally:
                # QUIRK: added to the root drive's number when there is none to parse.
                if kind == b"h":
                    m.current_drive += 0x80
    if m.errnum:
        raise GrubError(m.errnum)
    if text[at : at + 1] == b")":
        return DeviceString(text, text[at + 1 :], disk_choice=disk_choice, part_choice=PartChoice.CHOSEN)
    if text[at : at + 1] == b",":
        return _parse_partition(m, text, at + 1)
    return DeviceString(text, incomplete=at >= len(text), disk_choice=disk_choice)


def _parse_partition(m: Machine, text: bytes, at: int) -> DeviceString:
    """What follows the comma of a device string."""
    choice = PartChoice.DISK
    if text[at : at + 1].isdigit():
        choice = PartChoice.CHOSEN
        m.current_partition = 0
        if not m.current_drive & 0x80:
            m.fail(ErrNum.DEV_FORMAT)
        number, at = _partition_number(m, text, at)
        m.current_partition = (number << 16) + 0xFFFF
        if text[at : at + 1] == b",":
            at += 1
        if b"a" <= text[at : at + 1] <= b"h":
            m.current_partition = ((text[at] - ord("a")) << 8) | (m.current_partition & 0xFF00FF)
            at += 1
    elif b"a" <= text[at : at + 1] <= b"h":
        choice = PartChoice.CHOSEN
        m.current_partition = ((text[at] - ord("a")) << 8) | 0xFF00FF
        at += 1
    if text[at : at + 1] != b")":
        return DeviceString(text, incomplete=at >= len(text), disk_choice=False, part_choice=choice)
    if choice is PartChoice.DISK:
        # QUIRK: `(hd0,)` is the partition of the root device.
        m.current_partition = m.saved_partition
    return DeviceString(text, text[at + 1 :], disk_choice=False, part_choice=PartChoice.CHOSEN)


def _partition_number(m: Machine, text: bytes, at: int) -> tuple[int, int]:
    """A partition number up to 254; every failure to read it is Error 11."""
    try:
        number, at = safe_parse_maxint(m, text, at)
    except GrubError:
        m.fail(ErrNum.DEV_FORMAT)
    if number > 254:
        m.current_partition = number
        m.fail(ErrNum.DEV_FORMAT)
    return number, at
