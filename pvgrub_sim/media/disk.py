"""Disk: the read-only bytes of one virtual block device, and what a medium may offer besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pvgrub_sim.typed import TYPE_CHECKING, Any, Protocol, runtime_checkable
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.machine import Booting

SECTOR_SIZE = 512


@runtime_checkable
class Disk(Protocol):
    """What every medium offers; the only seam to storage."""

    @property
    def name(self) -> str:
        """What to call it in messages: the path as the caller gave it."""

    @property
    def size(self) -> int:
        """Size in bytes, of which only whole sectors of 512 bytes are seen by a guest."""

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""

    def close(self) -> None:
        """Release the file."""


@runtime_checkable
class ReadsInto(Protocol):
    """An optional power of a disk: it reads into memory that is there already, which saves a copy.

    It is asked for with isinstance(), and read() is used where a disk does not have it.
    """

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer from byte `offset` on; raises ImageError when the bytes cannot be had."""


@runtime_checkable
class Expects(Protocol):
    """A disk that fetches from far away, and is glad to know what comes."""

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Be told what will be read next, as offsets and lengths in bytes: the missing ones are fetched together."""


@runtime_checkable
class ForwardOnly(Protocol):
    """A disk of which a byte costs all bytes before it, and its size perhaps all of it."""

    @property
    def unpacked(self) -> int:
        """Bytes from the start that it costs nothing to read."""

    def read_upto(self, offset: int, length: int) -> bytes:
        """As read(), but fewer bytes where the disk ends before: its size need not be known."""


@runtime_checkable
class Unpacks(Protocol):
    """An optional power of a disk: it is being unpacked while its user does something else."""

    def store_ready(self) -> None:
        """Keep what is unpacked by now, without waiting for any more; raises nothing."""


@runtime_checkable
class Holds(Protocol):
    """An optional power of a disk that is unpacked: its packed form may tell how large it is."""

    def holds(self, size: int) -> bool:
        """Whether it is known to hold so many bytes, without unpacking them; raises ImageError."""


@runtime_checkable
class Reckons(Protocol):
    """An optional power of a disk whose size costs all of its bytes to be sure of: it tells a likely one before.

    `size` is the right one always. Who goes by a likely one asks for that before he says that something is not there.
    """

    def known_size(self) -> int:
        """The size in bytes as far as it is known: once it turns out to be another one, that."""


@runtime_checkable
class Finishes(Protocol):
    """An optional power of a disk over a stream: what stands at its end, a checksum as a rule, is looked at."""

    def finish(self) -> None:
        """Read what is left of the stream; raises ImageError where something is wrong with it."""


@runtime_checkable
class Machine(Protocol):
    """A disk that is the first of a machine's: see machine.py."""

    @property
    def disks(self) -> Sequence[tuple[str, Disk]]:
        """Device names and disks, in the order of their device numbers; the first is this one."""

    @property
    def booting(self) -> Booting:
        """How the machine is booted."""

    @property
    def described(self) -> Mapping[str, Any] | None:
        """What `aws ec2 describe-images` says of it, where it is an AMI."""

    @property
    def region(self) -> str | None:
        """Where it is one."""


class Layer(NamedTuple):
    """One layer between a disk and the bytes where they lie.

    format: `qcow2`, `xz`, `http` …, the word that --image-format takes, or the source's. name: the file or address.
    size: in bytes, as seen from above. detail: what is worth telling ("v3, clusters of 65536, zstd"), or empty.
    """

    format: str
    name: str
    size: int
    detail: str = ""


@runtime_checkable
class Layered(Protocol):
    """A disk that can tell what it is made of."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """From the outermost, which is what the disk itself is, down to the source."""


def layers_of(disk: Disk) -> tuple[Layer, ...]:
    """The layers of a disk; none of one that is a file's bytes as they are, or a caller's own object."""
    return disk.layers if isinstance(disk, Layered) else ()


def read_upto(disk: Disk, offset: int, length: int) -> bytes:
    """Read at byte `offset`, fewer bytes than `length` where the disk ends before; raises ImageError as read() does."""
    if isinstance(disk, ForwardOnly):
        return disk.read_upto(offset, length)
    return disk.read(offset, max(0, min(length, disk.size - offset)))


def known_size(disk: Disk) -> int:
    """The size of a disk, or a likely one where it would cost all of its bytes; raises ImageError as `size` does."""
    return disk.known_size() if isinstance(disk, Reckons) else disk.size


def finish(disk: Disk) -> None:
    """Look at what stands at the end of the streams that a disk is read from, if it is; raises ImageError.

    For what has been read to its last byte, where the stream goes on: nobody would ask for what is left of it.
    """
    if isinstance(disk, Finishes):
        disk.finish()


def read_into(disk: Disk, offset: int, buffer: memoryview) -> None:
    """Fill a buffer from byte `offset` of a disk on, without a copy in between where the disk can do that."""
    if isinstance(disk, ReadsInto):
        disk.readinto(offset, buffer)
    else:
        buffer[:] = disk.read(offset, len(buffer))
