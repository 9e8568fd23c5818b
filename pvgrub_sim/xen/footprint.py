"""What handing a kernel over takes of the domain's memory, by the sizes of the files."""

from __future__ import annotations

from pvgrub_sim.profiles import Profile
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.image import KernelImage

PAGE: Final = 4096
_PFN: Final = {"x86_64": 8, "i386": 4}
"""Bytes of a page's number."""


class Footprint(NamedTuple):
    """Bytes that are in use at once when the kernel is built, at the least; there is PV-GRUB itself besides.

    files: the buffers that kernel and initrd were read into. unpacked: the kernel from its payload. kernel, module:
    the pages that are made of them for the new kernel. tables: two lists of the domain's pages.
    """

    files: int
    unpacked: int
    kernel: int
    module: int
    tables: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


def footprint(image: KernelImage, files: int, module: int, profile: Profile) -> Footprint:
    """What building a kernel takes, as kexec() in stubdom/grub/kexec.c has libxc do it.

    files: bytes of the buffers. module: bytes of the initrd, which GRUB has unpacked where it was one of gzip. Every
    page comes from Mini-OS's own (kexec_allocate()), beside the files and what was unpacked, which are given back only
    afterwards; the segments are those of xc_dom_build_image() in xg_dom_core.c.
    """
    kernel = image.end - image.start if image.size is not None else 0
    tables = 2 * (profile.memory << 20) // PAGE * _PFN.get(profile.arch, 4)
    unpacked = (image.size or 0) if image.payload else 0
    return Footprint(files, unpacked, _pages(kernel), _pages(module), tables)


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
