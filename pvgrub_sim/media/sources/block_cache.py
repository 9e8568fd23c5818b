"""Blocks of earlier runs, kept in a folder that the user named (`--cache DIR`)."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from pvgrub_sim.errors import UsageError

_DIGEST = 32


class BlockCache:
    """The blocks of one image in a folder: a file each, behind the SHA-256 of what is in it.

    folder: made when it is not there. identity: everything that tells this version of the image from another one (the
    address, the ETag, the size), of which only a digest is kept. Raises UsageError when the folder cannot be made.
    """

    def __init__(self, folder: str, identity: tuple[object, ...]) -> None:
        name = sha256("\0".join(map(str, identity)).encode("utf-8", "surrogateescape")).hexdigest()
        self._folder = Path(folder) / name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._there = {int(entry.name) for entry in os.scandir(self._folder) if entry.name.isdecimal()}
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None

    def __contains__(self, number: int) -> bool:
        return number in self._there

    def get(self, number: int) -> bytes | None:
        """A block's bytes; None when it is not there or not what was put there."""
        if number not in self._there:
            return None
        try:
            raw = (self._folder / str(number)).read_bytes()
        except OSError:
            raw = b""
        data = raw[_DIGEST:]
        if sha256(data).digest() != raw[:_DIGEST]:
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
                file.write(sha256(data).digest())
                file.write(data)
            Path(name).replace(self._folder / str(number))
            self._there.add(number)
        except OSError:
            Path(name).unlink(missing_ok=True)
