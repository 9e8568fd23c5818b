"""gs://, abfs://: objects of other clouds, by fsspec and its filesystem (gcsfs, adlfs)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.media.sources.http import BLOCK
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

TRIES: Final = 3
FIRST_PAUSE = 0.25
"""Seconds before the second try."""
PATIENCE = 60.0
"""Seconds that anything may take, the client's own tries included."""
_EXTRAS: Final = {"gs": "gcs", "abfs": "azure"}
_CLIENTS: Final = ("fsspec", "gcsfs", "google", "adlfs", "azure")
_NOWHERE: Final = logging.NullHandler()
_VERSION: Final = ("etag", "ETag", "generation", "md5Hash", "content_md5", "mtime", "updated", "last_modified", "size")
"""What fsspec's filesystems tell that changes with an object."""


def open_filesystem(name: str, context: Context) -> Disk:
    """The bytes of an object; raises UsageError where what is needed is not installed, and ImageError."""
    scheme, _, path = name.partition("://")
    if not path:
        raise UsageError(f"{name}: not of the form {scheme.rstrip(':')}://bucket/key")
    for client in _CLIENTS:
        # Where nobody has said where to, what they log would be printed, with what a server says in it.
        logging.getLogger(client).addHandler(_NOWHERE)
    try:
        import fsspec

        filesystem = fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)
    except (ImportError, ValueError):
        extra = _EXTRAS[scheme]
        raise UsageError(f"{name}: what reads it is not installed (pip install 'pvgrub-sim[{extra}]')") from None
    except Exception as error:  # each client has errors of its own
        raise ImageError(name, _words(error)) from None
    source = _Object(name, filesystem, path)
    layer = Layer(scheme, name, source.size, "in ranges")
    return BlockDisk(name, source.size, BLOCK, source.fetch, (layer,))


class _Object:
    """One version of an object."""

    def __init__(self, name: str, filesystem: Any, path: str) -> None:
        self.name = name
        self._filesystem = filesystem
        self._path = path
        info = self._info(None)
        if info.get("type") == "directory":
            raise ImageError(name, "is a folder, not a disk image")
        self.size = int(info.get("size") or 0)
        if self.size == 0:
            raise ImageError(name, "is empty, not a disk image", 0)
        self._version = self._told(info)

    def fetch(self, first: int, count: int) -> Sequence[bytes]:
        """Blocks, in one request; another one asks whether the object is still the same."""
        offset = first * BLOCK
        end = min(offset + count * BLOCK, self.size)
        pause = FIRST_PAUSE
        for number in range(1, TRIES + 1):
            try:
                data: bytes = self._ask("cat_file", start=offset, end=end)
                wrong = "" if len(data) == end - offset else f"{len(data)} bytes instead of {end - offset}"
            except Exception as error:  # each client has errors of its own
                wrong = _words(error)
                if isinstance(error, TimeoutError):
                    raise ImageError(self.name, wrong, offset) from None
            if not wrong:
                break
            if number == TRIES:
                raise ImageError(self.name, f"{wrong} ({TRIES} tries)", offset)
            time.sleep(pause)
            pause *= 2
        if self._told(self._info(offset)) != self._version:
            raise ImageError(self.name, "changed while it was read", offset)
        return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]

    def _info(self, offset: int | None) -> dict[str, Any]:
        try:
            return dict(self._ask("info"))
        except Exception as error:  # each client has errors of its own
            raise ImageError(self.name, _words(error), offset) from None

    def _ask(self, what: str, **arguments: int) -> Any:
        """Call one of the filesystem's functions; raises TimeoutError when that takes too long."""
        from fsspec.asyn import sync

        ask = getattr(self._filesystem, f"_{what}")
        return sync(self._filesystem.loop, ask, self._path, timeout=PATIENCE, **arguments)

    @staticmethod
    def _told(info: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(info.get(key)) for key in _VERSION)


def _words(error: Exception) -> str:
    """What went wrong, in one line: the kind of error only, for the text of some quotes what was sent."""
    if isinstance(error, FileNotFoundError):
        return "no such object"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, TimeoutError):
        return "the cloud does not answer in time"
    return f"the cloud's client failed ({type(error).__name__})"
