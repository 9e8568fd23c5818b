"""Machines: what stands for several disks at once, with what its hypervisor was told of how to boot them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvgrub_sim.media.disk import Disk, Layer, Machine, known_size, layers_of, read_into
from pvgrub_sim.typed import Any, Final
from pvgrub_sim.values import NamedTuple

MOST_DISKS: Final = 16
"""Disks of a machine that are attached; whoever describes one could name any number."""
LONGEST_ARGUMENT: Final = 1023
"""Bytes of what a domain is started with (MAX_GUEST_CMDLINE in xen/include/public/xen.h, less the NUL)."""


class Booting(NamedTuple):
    """What a machine's description says of booting; None where it says nothing.

    bootloader: what runs in dom0 (`pygrub`), in the place of a kernel. kernel, ramdisk, arguments: what Xen starts.
    hvm: a fully virtualised machine, which boots without any of that.
    """

    bootloader: str | None = None
    kernel: str | None = None
    ramdisk: str | None = None
    arguments: str | None = None
    hvm: bool = False

    @property
    def config(self) -> str | None:
        """The config file that PV-GRUB is given as its argument, where the kernel is PV-GRUB."""
        if self.kernel and "pv-grub" in self.kernel.rpartition("/")[2].replace("pvgrub", "pv-grub"):
            # Whatever is longer is cut when the domain is built (start_info_x86_64() in tools/libs/guest/xg_dom_x86.c).
            given = (self.arguments or "").encode("utf-8", "surrogateescape")[:LONGEST_ARGUMENT]
            return given.decode("utf-8", "surrogateescape") or None
        return None


class MachineDisk:
    """The first disk of a machine, which knows the others.

    disks: device name and disk, in the order of their device numbers. booting: how it is booted. described: what
    `aws ec2 describe-images` says of it, where it is an AMI.
    """

    def __init__(
        self,
        name: str,
        disks: Sequence[tuple[str, Disk]],
        booting: Booting,
        described: Mapping[str, Any] | None = None,
        region: str | None = None,
    ) -> None:
        self.name = name
        self.disks = tuple(disks)
        self.booting = booting
        self.described = described
        self.region = region
        self._first = disks[0][1]

    @property
    def size(self) -> int:
        """Of the first disk, in bytes; raises ImageError as it does."""
        return self._first.size

    def known_size(self) -> int:
        """The same as far as it is known."""
        return known_size(self._first)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the first disk, with a word of the others."""
        layers = layers_of(self._first)
        if len(self.disks) < 2 or not layers:
            return layers
        word = f"the first of a machine's {len(self.disks)} disks"
        return (layers[0]._replace(detail=", ".join(filter(None, (layers[0].detail, word)))), *layers[1:])

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes of the first disk; raises ImageError when they cannot be had."""
        return self._first.read(offset, length)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer from the first disk; raises ImageError as read() does."""
        read_into(self._first, offset, buffer)

    def expect(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Tell the first disk what will be read, if that makes a difference to it."""
        tell = getattr(self._first, "expect", None)
        if tell is not None:
            tell(ranges)

    def close(self) -> None:
        """Close all disks."""
        for _, disk in self.disks:
            disk.close()


def with_first(machine: Machine, first: Disk) -> MachineDisk:
    """The same machine with another disk in the place of its first; closing it closes the machine's other disks."""
    (device, _), *others = machine.disks
    return MachineDisk(first.name, [(device, first), *others], machine.booting, machine.described, machine.region)
