"""Blocks of earlier runs, kept in a folder that the user named (`--cache DIR`)."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pvgrub_sim.errors import UsageError

_DIGEST = 32


class BlockCache:
    """The blocks of one image in a folder: a file each, behind the SHA-256 of the image, the number and the bytes.

    That finds what is damaged, cut off, or of another place. It does not find what somebody wrote on purpose who may
    write the folder: there is no secret in the digest, so the folder must be as trustworthy as the images.

    folder: made when it is not there. identity: everything that tells this version of the image from another one (the
    address, the ETag, the size), of which only a digest is kept. Raises UsageError when the folder cannot be made.
    """

    def __init__(self, folder: str, identity: tuple[object, ...]) -> None:
        self._image = sha256(repr(identity).encode("ascii", "backslashreplace")).digest()
        self._folder = Path(folder) / self._image.hex()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = (entry.name for entry in os.scandir(self._folder))
            self._there = {int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 19}
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None

    def __contains__(self, number: int) -> bool:
        return number in self._there

    def get(self, number: int, size: int) -> bytes | None:
        """A block's bytes, which are so many; None when it is not there or not what was put there."""
        if number not in self._there:
            return None
        raw = b""
        with suppress(OSError):
            raw = _read(self._folder / str(number), _DIGEST + size)
        data = raw[_DIGEST:]
        if self._digest(number, data) != raw[:_DIGEST]:
            self._there.discard(number)
            return None
        return data

    def put(self, number: int, data: bytes) -> None:
        """Keep a block; where that is not possible (a full disk), it is fetched again the next time."""
        try:
            handle, name = tempfile.mkstemp(prefix=".", dir=self._folder)
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._digest(number, data))
                file.write(data)
            Path(name).replace(self._folder / str(number))
            self._there.add(number)
        except OSError:
            Path(name).unlink(missing_ok=True)

    def _digest(self, number: int, data: bytes) -> bytes:
        digest = sha256(self._image)
        digest.update(number.to_bytes(8, "big"))
        digest.update(data)
        return digest.digest()


def _read(path: Path, size: int) -> bytes:
    """The bytes of a file that has so many; none of anything else, which might have no end or never begin."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        return file.read(size) if stat.S_ISREG(status.st_mode) and status.st_size == size else b""
