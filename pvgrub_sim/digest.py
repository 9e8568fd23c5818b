"""Checksums of what is in memory: CRC-32, and SHA-256 in a thread of its own while the file is looked at otherwise."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module

from pvgrub_sim.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _thread import LockType

SMALL = 512 << 10
"""Bytes that are not worth a thread, nor the import of OpenSSL."""


def crc32(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32 of some bytes."""
    if len(data) > SMALL:
        from pvgrub_sim.deflate import deflate_library

        found: int = deflate_library().crc32(data)
        return found
    from zlib import crc32 as plain

    return plain(data)


class Digest:
    """The CRC-32 of some bytes, and their SHA-256 if it is wanted; they must not change until they were asked for.

    Only the SHA-256 is worth a thread: without it the CRC-32 is there at once.
    """

    _computing: LockType | None = None
    _error: BaseException | None = None

    def __init__(self, data: bytes | bytearray | memoryview, *, sha256: bool = True) -> None:
        self._crc = 0
        self._hex = ""
        if len(data) <= SMALL or not sha256:
            self._crc = crc32(data)
            self._hex = _small(data) if sha256 else ""
            return
        # Only for what is large: imports that a quick start does without. threading and hashlib themselves take as long
        # to import as a megabyte to digest.
        from _thread import allocate_lock, start_new_thread

        openssl = openssl_sha256()
        self._computing = computing = allocate_lock()
        computing.acquire()

        def compute() -> None:
            # Both let other threads go on meanwhile.
            try:
                self._crc = crc32(data)
                self._hex = openssl(data).hexdigest()
            except BaseException as error:  # whatever it is, want of memory above all: for whoever asks
                self._error = error
            finally:
                computing.release()

        try:
            start_new_thread(compute, ())
        except RuntimeError:
            # There is no thread to be had.
            compute()

    def crc32(self) -> int:
        """The CRC-32; waits for it, and raises what went wrong, as MemoryError."""
        self._wait()
        return self._crc

    def hex(self) -> str:
        """The SHA-256 in 64 hexadecimal digits, empty where it was not wanted; waits for it, and raises as crc32()."""
        self._wait()
        return self._hex

    def _wait(self) -> None:
        if self._computing is not None:
            with self._computing:
                pass
            if self._error is not None:
                raise self._error


def openssl_sha256() -> Any:
    """hashlib.sha256 as OpenSSL has it, without the import of all other digests."""
    try:
        return import_module("_hashlib").openssl_sha256
    except (ImportError, AttributeError):
        # Python's own, which hashlib would take; that prints much where there is no memory for OpenSSL.
        for name in ("_sha2", "_sha256"):
            with suppress(ImportError):
                return import_module(name).sha256
        raise


def _small(data: bytes | bytearray | memoryview) -> str:
    """The digest by Python's own code, which is slower than OpenSSL's and there at once."""
    # A module that is not there costs a search in every folder of the path.
    name = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        sha256 = import_module(name).sha256
    except ImportError:
        from hashlib import sha256
    digest: str = sha256(data).hexdigest()
    return digest
