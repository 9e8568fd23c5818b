"""Kernels taken apart and put together again, so that an older PV-GRUB boots them.

Sources: Linux, Documentation/arch/x86/boot.rst (header fields, "the CRC-32 of the whole file"), arch/x86/boot/Makefile
and scripts/Makefile.lib (how payloads are made), arch/x86/boot/tools/build.c (padding and checksum).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from pvgrub_sim.errors import KernelFormatError
from pvgrub_sim.ondisk import bzimage
from pvgrub_sim.ondisk import elf as layout
from pvgrub_sim.ondisk.compressed import GZIP
from pvgrub_sim.typed import Protocol
from pvgrub_sim.xen.elf import is_elf
from pvgrub_sim.xen.excerpt import Excerpt, InMemory
from pvgrub_sim.xen.inspect import packed_payload
from pvgrub_sim.xen.packed import PayloadDamaged
from pvgrub_sim.xen.payload import format_of, unpack

FORMS = ("gzip", "xz", "none", "elf-gz")
"""What a kernel can be repacked to; elf-gz is the bare ELF file, gzipped, which GRUB itself unpacks."""
PARAGRAPH = 16
"""Bytes: what the protected-mode code is padded to, and what syssize counts in."""
XZ_DICTIONARY = 16 << 20
"""Bytes; with twice as many, which the kernel's own build takes, packing alone wants 370 MiB of memory."""
PIECE = 1 << 20
LARGEST_ELF = 128 << 20
"""Bytes; nothing larger fits twice into the memory of a domain of 256 MiB."""


def gunzip_file(name: str, data: bytes) -> bytes:
    """A file as GRUB hands it on: gunzipped when it is gzipped. name: for KernelFormatError."""
    if data[:2] != GZIP:
        return data
    stream = zlib.decompressobj(31)
    try:
        plain = stream.decompress(data, LARGEST_ELF)
    except zlib.error as error:
        raise KernelFormatError(name, f"is gzipped, and damaged ({error})") from None
    if not stream.eof:
        large = len(plain) == LARGEST_ELF
        raise KernelFormatError(name, "unpacks to more than any kernel" if large else "is gzipped, and cut short")
    return plain


def extract_elf(name: str, kernel: bytes) -> bytes | bytearray:
    """The ELF file inside a kernel: a bzImage's payload unpacked, or the file itself.

    name: of the file, for KernelFormatError, which says why there is none.
    """
    packed = packed_payload(kernel)
    if packed is None:
        if not is_elf(InMemory(kernel), len(kernel)):
            raise KernelFormatError(name, "is neither a bzImage nor an ELF file")
        return kernel
    at = bzimage.read_setup_header(kernel).payload_start
    if bzimage.read_setup_header(kernel).payload_length > packed.length:
        raise KernelFormatError(name, "is cut short: its payload reaches beyond the end of the file", at)
    found = format_of(packed.payload)
    if found is None:
        if packed.payload[:4] != layout.MAGIC:
            raise KernelFormatError(name, "has a payload of an unknown format", at)
        return bytes(packed.payload)
    try:
        result = unpack(found, packed._replace(keep_all=True))
    except PayloadDamaged:
        raise KernelFormatError(name, f"has a {found.name} payload that does not unpack", at) from None
    if result is None or not isinstance(result.data, Excerpt):
        raise KernelFormatError(name, f"has a {found.name} payload whose size word makes no sense", at)
    if result.data.head[:4] != layout.MAGIC:
        raise KernelFormatError(name, f"has a {found.name} payload that is no ELF file", at)
    return result.data.head


Progress = Callable[[int, int], None]
"""Told of the bytes that are packed, and of how many there are."""


def repack(
    name: str,
    kernel: bytes,
    form: str,
    *,
    pv_only: bool = False,
    level: int | None = None,
    progress: Progress | None = None,
) -> bytes:
    """The same kernel in another form, one of FORMS.

    A bzImage gets the new payload behind all that it has, and its header points there: whoever starts it in another
    way than PV-GRUB still finds the old one. pv_only: leave the old payload and what unpacks it out, so that the file
    is smaller and only PV-GRUB, and Xen's tools, can start it. level: how hard to pack, 0 (xz) or 1 (gzip) to 9; None
    for 9 with gzip and 6 with xz. progress: told how far it is. name: of the file, for KernelFormatError.
    """
    elf = extract_elf(name, kernel)
    if form == "elf-gz":
        return _gzip(elf, level, progress)
    if not bzimage.is_bzimage(kernel):
        raise KernelFormatError(name, f"is no bzImage, so it cannot get a {form} payload; repack it to elf-gz")
    if (version := bzimage.read_setup_header(kernel).version) < 0x208:
        raise KernelFormatError(name, f"has boot protocol {version >> 8}.{version & 0xFF:02}, too old for a payload")
    packers = {"gzip": _gzip, "xz": _xz}
    payload = packers[form](elf, level, progress) if form in packers else bytes(elf)
    return put_payload(kernel, payload, pv_only=pv_only)


def put_payload(kernel: bytes, payload: bytes, *, pv_only: bool = False) -> bytes:
    """A bzImage with another payload: sizes in the header and the checksum behind it are made to fit."""
    header = bzimage.read_setup_header(kernel)
    code = (header.setup_sects + 1) * bzimage.SECTOR
    body = bytearray(kernel[: header.payload_start] if pv_only else kernel)
    body += bytes(-(len(body) - code) % PARAGRAPH)
    start = len(body) - code
    body += payload
    # As the kernel's build has it: padded so that the checksum's four bytes are the last of a paragraph.
    body += bytes(-(len(body) - code + 4) % PARAGRAPH)
    struct.pack_into("<I", body, bzimage.SYSSIZE, (len(body) + 4 - code) // PARAGRAPH)
    struct.pack_into("<II", body, bzimage.PAYLOAD_OFFSET, start, len(payload))
    body += struct.pack("<I", checksum(body))
    return bytes(body)


def checksum(data: bytes | bytearray) -> int:
    """The CRC-32 that a bzImage ends in: as zlib's, without the last inversion."""
    return zlib.crc32(data) ^ 0xFFFFFFFF


def _gzip(data: bytes | bytearray, level: int | None, progress: Progress | None) -> bytes:
    return _packed(data, zlib.compressobj(9 if level is None else level, zlib.DEFLATED, 31), progress)


def _xz(data: bytes | bytearray, level: int | None, progress: Progress | None) -> bytes:
    import lzma

    preset = 6 if level is None else level
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": XZ_DICTIONARY}]
    packed = _packed(data, lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters), progress)
    return packed + struct.pack("<I", len(data) & 0xFFFFFFFF)


class _Packer(Protocol):
    """What zlib and lzma have in common."""

    def compress(self, data: bytes | memoryview, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _packed(data: bytes | bytearray, packer: _Packer, progress: Progress | None) -> bytes:
    """Pack piece by piece, so that nobody waits without a word."""
    view = memoryview(data)
    pieces = []
    for at in range(0, len(view), PIECE):
        pieces.append(packer.compress(view[at : at + PIECE]))
        if progress is not None:
            progress(min(at + PIECE, len(view)), len(view))
    return b"".join([*pieces, packer.flush()])
