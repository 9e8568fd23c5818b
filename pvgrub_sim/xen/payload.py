"""The payload formats of bzImages: how each is recognised, what libxc calls it and what unpacks it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from pvgrub_sim.ondisk import compressed
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.excerpt import TooLarge
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, PayloadTooLarge, Unpacked


class Format(NamedTuple):
    """One format. complaint: what the loader says when it does not unpack (xg_dom_bzimageloader.c)."""

    name: str
    magic: bytes
    complaint: str
    module: str = "decoders"

    @property
    def decoder(self) -> Callable[[Packed], Unpacked | None]:
        """The function that unpacks it; its module is imported now."""
        function: Callable[[Packed], Unpacked | None] = getattr(
            import_module(f"pvgrub_sim.xen.{self.module}"), f"unpack_{self.name}"
        )
        return function


FORMATS = (
    Format("gzip", compressed.GZIP, ": unable to gzip decompress kernel"),
    Format("bzip2", compressed.BZIP2, " unable to BZIP2 decompress kernel"),
    Format("xz", compressed.XZ, " unable to XZ decompress kernel", "xz"),
    Format("zstd", compressed.ZSTD, " unable to ZSTD decompress kernel", "zstd"),
    Format("lzma", compressed.LZMA, " unable to LZMA decompress kernel", "unlzma"),
    # QUIRK: these two complaints end in a line feed, so that "Invalid kernel" gets a line of its own.
    Format("lzo", compressed.LZO[:5], " unable to LZO decompress kernel\n", "lzo"),
    Format("lz4", compressed.LZ4_LEGACY[:2], " unable to LZ4 decompress kernel\n", "lz4"),
)
"""In the order in which the loader looks for them."""


def format_of(payload: bytes | bytearray | memoryview, known: frozenset[str] | None = None) -> Format | None:
    """The format of a payload by its first bytes, or None.

    known: names of the formats to look for; None means all.
    """
    for candidate in FORMATS:
        size = len(candidate.magic)
        if payload[:size] == candidate.magic and (known is None or candidate.name in known):
            return candidate
    return None


def unpack(found: Format, packed: Packed) -> Unpacked | None:
    """Unpack a payload; None when the decoder leaves it as it is. Raises PayloadDamaged.

    The result is remembered with the kernel: for another entry, the other build of PV-GRUB, the next version.
    """
    special = (packed.bits, packed.lz4) if found.name == "lz4" else ()
    key = (packed.length, found.name, packed.most, *special)
    known = packed.memory.unpacked if packed.memory is not None and not packed.keep_all else {}
    if key not in known:
        try:
            known[key] = found.decoder(packed)
        except TooLarge:
            known[key] = PayloadTooLarge()
        except PayloadDamaged as error:
            known[key] = error.with_traceback(None)
    result: Unpacked | PayloadDamaged | None = known[key]
    if isinstance(result, PayloadDamaged):
        raise type(result)(*result.args)
    return result
