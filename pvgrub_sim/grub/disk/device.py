"""Device strings and numbers (stage2/disk_io.c:set_device, stage2/char_io.c:safe_parse_maxint)."""

from __future__ import annotations

from pvgrub_sim.cint import MAXINT
from pvgrub_sim.grub.disk.partitions import sane_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, NETWORK_DRIVE, WHOLE_DISK, Machine

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


def set_device(m: Machine, text: bytes) -> bytes:
    """Parse a device string such as `(hd0,1)`, make it the current device, return what follows it.

    As set_device() in stage2/disk_io.c. Raises GrubError 11, 12, 23 or 35.
    """
    m.current_drive = m.saved_drive
    m.current_partition = WHOLE_DISK
    if text == b"(":
        return b""
    rest: bytes | None = None
    if text[:1] == b"(":
        rest = _parse_parenthesis(m, text)
    sane_partition(m)
    if rest is None:
        m.fail(ErrNum.DEV_FORMAT)
    return rest


def _parse_parenthesis(m: Machine, text: bytes) -> bytes | None:
    """What stands between the parentheses; returns the rest behind them, None when it does not end there."""
    at = 1
    kind = text[1:2]
    if kind not in (b",", b")"):
        named = kind in (b"f", b"h") or (kind == b"n" and m.network_ready)
        named = named or (kind == b"c" and m.cdrom_drive != GRUB_INVALID_DRIVE)
        if named:
            if text[2:] in (b"", b"d"):
                # Only a device's letters, as in tab completion: it counts as a whole.
                return b""
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
            try:
                m.current_drive, at = safe_parse_maxint(m, text, at)
            finally:
                # QUIRK: added to the root drive's number when there is none to parse.
                if kind == b"h":
                    m.current_drive += 0x80
    if m.errnum:
        raise GrubError(m.errnum)
    if text[at : at + 1] == b")":
        return text[at + 1 :]
    if text[at : at + 1] != b",":
        return None
    return _parse_partition(m, text, at + 1)


def _parse_partition(m: Machine, text: bytes, at: int) -> bytes | None:
    """What follows the comma of a device string."""
    chosen = False
    if text[at : at + 1].isdigit():
        chosen = True
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
        chosen = True
        m.current_partition = ((text[at] - ord("a")) << 8) | 0xFF00FF
        at += 1
    if text[at : at + 1] != b")":
        return None
    if not chosen:
        # QUIRK: `(hd0,)` is the partition of the root device.
        m.current_partition = m.saved_partition
    return text[at + 1 :]


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
