"""Members of tar archives: how their names are shown, and the content of small ones."""

from __future__ import annotations

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.formats.pieces import PiecesDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.tar import Member


LONGEST_SHOWN: Final = 1000
"""Bytes of a member's name that are shown; a message is one line that can be read."""


def shown(name: bytes) -> str:
    """A member's name for messages."""
    if len(name) > LONGEST_SHOWN:
        return name[: LONGEST_SHOWN // 2].decode("utf-8", "backslashreplace") + "…"
    return name.decode("utf-8", "backslashreplace")


def content(below: Disk, member: Member, longest: int) -> bytes:
    """All of a small member; raises ImageError when it is larger than `longest` bytes."""
    name = shown(member.name)
    if member.size > longest:
        raise ImageError(below.name, f"{name} has {member.size} bytes, more than any such file")
    return PiecesDisk(below, member.size, member.pieces, Layer("tar", below.name, member.size)).read(0, member.size)
