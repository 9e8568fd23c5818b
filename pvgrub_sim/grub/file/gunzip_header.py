"""The header by which GRUB knows a gzip'd file (stage2/gunzip.c): every file that is opened is looked at."""

from __future__ import annotations

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.typed import NoReturn

DEFLATED = 8
EXTRA_FIELD, ORIG_NAME, COMMENT = 0x04, 0x08, 0x10
UNSUPP_FLAGS = 0x02 | 0x20 | 0xC0
"""Continuation (RFC 1952's header CRC), encrypted, reserved."""


def gunzip_test_header(m: Machine) -> None:
    """Look at the open file's first bytes and set m.compressed_file when it is gzip'd.

    As gunzip_test_header(): Raises GrubError 4 for a header that is not understood, or what reading met.
    """
    header = b"" if m.no_decompression else _read(m, 10)
    if len(header) != 10 or not is_gzip(header):
        m.filepos = 0
        if m.errnum:
            raise GrubError(m.errnum)
        return
    flags = header[3]
    # QUIRK: the flag of a header CRC is taken for that of a continued file, and refused.
    if header[2] != DEFLATED or flags & UNSUPP_FLAGS or not _skip_fields(m, flags):
        _bad_header(m)
    offset = m.filepos
    m.filepos = m.filemax - 8
    trailer = _read(m, 8)
    if len(trailer) != 8:
        _bad_header(m)
    # QUIRK: the file's last four bytes are its length, whatever stands there; the CRC is not looked at.
    unpacked = s32(int.from_bytes(trailer[4:], "little"))
    from pvgrub_sim.grub.file.gunzip import GunzipFile

    m.compressed_file = GunzipFile(m, offset, m.filemax)
    m.filemax = m.fsmax = unpacked
    m.filepos = 0


def _bad_header(m: Machine) -> NoReturn:
    if not m.errnum:
        m.errnum = ErrNum.BAD_GZIP_HEADER
    raise GrubError(m.errnum)


def _read(m: Machine, length: int) -> bytes:
    try:
        return grub_read(m, length)
    except GrubError:
        return b""


def _skip_fields(m: Machine, flags: int) -> bool:
    """Skip the header's variable fields; False when the file ends in one."""
    if flags & EXTRA_FIELD:
        length = _read(m, 2)
        if len(length) != 2:
            return False
        wanted = int.from_bytes(length, "little")
        while wanted:
            got = len(_read(m, wanted))
            if not got:
                return False
            wanted -= got
    return all(_skip_name(m) for flag in (ORIG_NAME, COMMENT) if flags & flag)


def _skip_name(m: Machine) -> bool:
    """Skip bytes up to a NUL, many at a time as long as they can be read."""
    step = 512
    while True:
        m.tick()
        begin = m.filepos
        data = _read(m, step)
        if not data:
            if not m.errnum or step == 1:
                return False
            m.errnum, m.filepos, step = ErrNum.NONE, begin, 1
            continue
        end = data.find(0)
        if end >= 0:
            m.filepos = begin + end + 1
            return True
