"""Shorthands for the tests of the kernel loader."""

from __future__ import annotations

from dataclasses import dataclass

from pvgrub_sim.profiles import find_profile
from pvgrub_sim.xen.image import KernelImage
from pvgrub_sim.xen.loader import parse_image
from pvgrub_sim.xen.memory import LoaderMemory
from pvgrub_sim.xen.packed import Packed
from pvgrub_sim.xen.payload import FORMATS, unpack
from pvgrub_sim.xen.refusal import Cause, KernelRefused
from tests.kernel_images import bzimage

AMPLE = 4096
"""MiB."""
REFUSED = "xc_dom_parse_image returned -1"
NO_LOADER = "xc: error: panic: xg_dom_core.c:689: xc_dom_find_loader: no loader found: Invalid kernel"


@dataclass(frozen=True)
class Loaded:
    """What was printed, and the image, or the number and the reason of the refusal."""

    lines: tuple[str, ...]
    image: KernelImage | None
    number: int | None = None
    reason: str = ""
    cause: Cause | None = None

    @property
    def guest_type(self) -> str | None:
        """Xen's name for the kind of kernel, None for a refused one."""
        return self.image.guest_type if self.image else None


def load(kernel: bytes, pvgrub: str = "xen-4.17", arch: str = "x86_64", memory: LoaderMemory | None = None) -> Loaded:
    """Do with a kernel what that PV-GRUB does in a domain with memory enough for any kernel."""
    lines: list[str] = []
    profile = find_profile(pvgrub, arch)._replace(memory=AMPLE)
    try:
        image = parse_image(kernel, profile, lines.append, memory=memory)
    except KernelRefused as refused:
        return Loaded(tuple(lines), None, refused.number, refused.reason, refused.cause)
    return Loaded(tuple(lines), image)


def probe_line(line: int, text: str) -> str:
    """What the bzImage loader of 4.17 prints."""
    return f"xc: error: panic: xg_dom_bzimageloader.c:{line}: xc_dom_probe_bzimage_kernel{text}: Invalid kernel"


def boots(payload: bytes, arch: str = "x86_64", trailing: bytes = bytes(100)) -> bool:
    """Whether a bzImage around a payload gets past the loader."""
    return load(bzimage(payload, trailing=trailing), arch=arch).number != 9


def unpacked(form: str, payload: bytes) -> bytes:
    """All that a payload unpacks to."""
    found = next(item for item in FORMATS if item.name == form)
    result = unpack(found, Packed(memoryview(payload), len(payload), keep_all=True))
    assert result is not None
    return result.data.read(0, result.size)
