"""How an image may be reached: what the caller allows, and what was opened on the way."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.typed import TYPE_CHECKING
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.formats.inside import Inside, Tally

DEEPEST = 8
"""Files in a chain of backing files, and layers around each other."""


class Access(NamedTuple):
    """What may be done to get at an image's bytes.

    allow_backing: folders, besides the image's own, whose files may be opened where an image names them (backing files,
    parents, extents). spool_limit: the most bytes that a compressed image may unpack to in a temporary file, None for
    the usual limit. progress: called with the bytes done and the bytes in all (None when that is not known). cache: a
    folder that keeps what was fetched. region: of the cloud, None for the usual one. key: a file with a private key,
    for encrypted bundles.
    """

    allow_backing: tuple[str, ...] = ()
    spool_limit: int | None = None
    progress: Callable[[int, int | None], None] | None = None
    cache: str | None = None
    region: str | None = None
    key: str | None = None


class Context(NamedTuple):
    """What a layer needs to know to open what is below or beside it.

    access: what the caller allows. folder: the folder of the local file that everything began with; None where the
    image lies elsewhere, which has no files beside it. chain: device and inode of the files that were opened on the way
    here, so that no chain of backing files is endless. depth: layers that are around this one. inside: the folder of an
    archive that the image lies in, whose other files are beside it then; None where it is in no archive. machine: true
    for the disk of a machine. tally: counts the files of archives that were opened on the way.
    """

    access: Access = Access()
    folder: str | None = None
    chain: tuple[tuple[int, int], ...] = ()
    depth: int = 0
    inside: Inside | None = None
    machine: bool = False
    tally: Tally | None = None
