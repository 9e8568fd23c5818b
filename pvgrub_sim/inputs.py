"""Files that are read whole: descriptions, key files, kernels."""

from __future__ import annotations

import os
import stat

from pvgrub_sim.errors import ImageError


def read_input(path: str | os.PathLike[str], most: int) -> bytes:
    """The first `most` bytes of a regular file, all of them when it has no more.

    A pipe, a socket or a device might never end, or do something when it is read, and is refused. Raises ImageError,
    which names the file.
    """
    name = os.fspath(path)
    try:
        # Of a pipe that nobody writes to, opening alone would take for ever.
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(handle, "rb") as file:  # noqa: PTH123  (pathlib would slow down every start)
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise ImageError(name, "is a directory")
            if not stat.S_ISREG(mode):
                raise ImageError(name, "is no regular file")
            return file.read(most)
    except (OSError, ValueError) as error:
        raise ImageError(name, (getattr(error, "strerror", None) or str(error)).lower()) from None
