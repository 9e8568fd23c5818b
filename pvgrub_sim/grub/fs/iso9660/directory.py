"""Directory records with Rock Ridge entries as iso9660_dir() in stage2/fsys_iso9660.c walks over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvgrub_sim.cint import u32
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import iso9660 as iso
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

OTHER: Final = 0
REGULAR: Final = 1
DIRECTORY: Final = 2

_BUFFER_SIZE: Final = 0x8000
_RECORDS: Final = 4096
"""Where a directory's sector lies in GRUB's filesystem buffer (DIRREC)."""
_CONTINUATION: Final = _RECORDS + iso.SECTOR_SIZE
"""Where a continuation area's sector lies (RRCONT_BUF)."""
_NO_NAME: Final = b"/"
_NAME: Final = _CONTINUATION + iso.SECTOR_SIZE
"""Where a name is kept when its continuation area is left (NAME_BUF)."""


class Record(NamedTuple):
    """What iso9660_dir() makes of a directory record: extent in sectors of 2048 bytes, size in bytes."""

    name: bytes
    kind: int
    extent: int
    size: int


class IsoBuffer:
    """The part of GRUB's filesystem buffer that records and continuation areas lie in, one behind the other.

    read_sector: reads a continuation area's sector of 2048 bytes; raises GrubError.
    """

    def __init__(self, read_sector: Callable[[int], bytes]) -> None:
        self._read_sector = read_sector
        self._memory = bytearray(_BUFFER_SIZE)

    def records(self, m: Machine, sector: bytes) -> Iterator[Record]:
        """The records that begin in a directory's sector, `.` and `..` left out.

        QUIRK: nothing but a length of zero ends the walk: a sector filled to its last byte goes on in what the
        buffer holds behind it, the last continuation area.
        """
        memory = self._memory
        memory[_RECORDS:_CONTINUATION] = sector
        at = _RECORDS
        while at < _BUFFER_SIZE and (length := memory[at]):
            name_length = self._byte(at + iso.RECORD_NAME_LENGTH)
            if name_length != 1 or self._byte(at + iso.RECORD_NAME) > 1:
                yield self._record(m, at, length, name_length)
            at += length

    def _byte(self, at: int) -> int:
        return self._memory[at] if 0 <= at < _BUFFER_SIZE else 0

    def _number(self, at: int) -> int:
        return int.from_bytes(self._memory[at : at + 4], "little")

    def _record(self, m: Machine, at: int, length: int, name_length: int) -> Record:
        memory = self._memory
        kind = DIRECTORY if self._byte(at + iso.RECORD_FLAGS) & iso.FLAG_DIRECTORY else REGULAR
        extent, size = self._number(at + iso.RECORD_EXTENT), self._number(at + iso.RECORD_SIZE)
        begin = at + iso.RECORD_NAME
        end = begin + name_length
        # QUIRK: only version 1 is cut off, and one dot before it.
        if name_length > 2 and memory[end - 2 : end] == b";1":
            end -= 2
            if end - begin > 1 and memory[end - 1] == 0x2E:
                end -= 1
        name = bytes(memory[begin:end])
        use = begin + name_length
        room = u32(length - name_length - iso.RECORD_NAME)
        if use & 1:
            use += 1
            room = u32(room - 1)
        if room >= iso.SUSP_DATA:
            rock_name, rock_kind = self._rock_ridge(m, use, room)
            name = name if rock_name is None else rock_name
            kind = kind if rock_kind is None else rock_kind
        return Record(name, kind, extent, size)

    def _rock_ridge(self, m: Machine, at: int, room: int) -> tuple[bytes | None, int | None]:
        """Name and kind as the system use entries in `room` bytes from `at` on give them, None where they do not."""
        memory = self._memory
        wanted = iso.RR_HAS_NM | iso.RR_HAS_PX
        name: bytes | None = None
        kind: int | None = None
        continued: tuple[int, int, int] | None = None
        while room >= iso.SUSP_DATA:
            length = self._byte(at + iso.SUSP_LENGTH)
            if self._byte(at + iso.SUSP_VERSION) == 1:
                tag = memory[at : at + 2]
                if tag == b"RR" and length >= iso.RR_MINIMUM:
                    wanted &= self._byte(at + iso.SUSP_DATA)
                elif tag == b"NM":
                    # QUIRK: the flags are not looked at: of a continued name only the last part counts.
                    # A length below 5 wraps: that name is too long for any that is asked for.
                    name = bytes(memory[at + iso.NM_NAME : at + length]) if length >= iso.NM_NAME else _NO_NAME
                    wanted &= ~iso.RR_HAS_NM
                elif tag == b"PX" and length >= iso.PX_MINIMUM:
                    mode = self._number(at + iso.SUSP_DATA) & iso.MODE_TYPE
                    kind = {iso.MODE_REGULAR: REGULAR, iso.MODE_DIRECTORY: DIRECTORY}.get(mode, OTHER)
                    wanted &= ~iso.RR_HAS_PX
                elif tag == b"CE" and length >= iso.CE_MINIMUM:
                    continued = (
                        self._number(at + iso.CE_EXTENT),
                        self._number(at + iso.CE_OFFSET),
                        self._number(at + iso.CE_SIZE),
                    )
            if not wanted:
                break
            if not length:
                raise Stop(Outcome.HANG, "a Rock Ridge entry of length 0")
            room = u32(room - length)
            at += length
            m.tick()
            if room < iso.SUSP_DATA and continued is not None:
                extent, offset, room = continued
                at = _CONTINUATION + offset
                try:
                    memory[_CONTINUATION:_NAME] = self._read_sector(extent)
                except GrubError:
                    m.errnum = ErrNum.NONE
                    break
                continued = None
        return name, kind
