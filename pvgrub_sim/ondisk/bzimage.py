"""The Linux/x86 setup header at the head of a bzImage (Linux Documentation/arch/x86/boot.rst, protocol 2.08)."""

from __future__ import annotations

import struct

from pvgrub_sim.values import NamedTuple

HEADER_SIZE = 592
"""Bytes up to and including payload_length: what libxenguest calls its struct setup_header."""
MAGIC = b"HdrS"
SECTOR = 512

SETUP_SECTS = 0x1F1
SYSSIZE = 0x1F4
BOOT_FLAG = 0x1FE
MAGIC_AT = 0x202
VERSION = 0x206
KERNEL_VERSION = 0x20E
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C
INIT_SIZE = 0x260

_VERSION = struct.Struct("<H")
_PAYLOAD = struct.Struct("<II")


class SetupHeader(NamedTuple):
    """The fields that a loader of bzImages looks at.

    setup_sects: sectors of 512 bytes of real-mode code behind the boot sector, as written (0 is 0 here).
    version: of the boot protocol, major in the high byte. payload_offset: in bytes from the start of the
    protected-mode code. payload_length: in bytes.
    """

    setup_sects: int
    version: int
    kernel_version_at: int
    payload_offset: int
    payload_length: int

    @property
    def payload_start(self) -> int:
        """Where the payload begins, in bytes from the start of the file."""
        return (self.setup_sects + 1) * SECTOR + self.payload_offset

    @property
    def protocol(self) -> str:
        """The boot protocol's version as people write it: 2.15."""
        return f"{self.version >> 8}.{self.version & 0xFF:02d}"


def is_bzimage(image: bytes) -> bool:
    """True when the file is long enough for the header and has its magic."""
    return len(image) >= HEADER_SIZE and image[MAGIC_AT : MAGIC_AT + 4] == MAGIC


def read_setup_header(image: bytes) -> SetupHeader:
    """The header of a file for which is_bzimage() is true."""
    offset, length = _PAYLOAD.unpack_from(image, PAYLOAD_OFFSET)
    return SetupHeader(
        setup_sects=image[SETUP_SECTS],
        version=_VERSION.unpack_from(image, VERSION)[0],
        kernel_version_at=_VERSION.unpack_from(image, KERNEL_VERSION)[0],
        payload_offset=offset,
        payload_length=length,
    )


def kernel_version(image: bytes) -> str:
    """The version string of a bzImage (`6.1.0-56-amd64 (debian-kernel@…) #1 SMP …`), or "" when it has none."""
    at = read_setup_header(image).kernel_version_at
    if not at:
        return ""
    text = image[at + 0x200 : at + 0x200 + 512]
    return text.split(b"\0", 1)[0].decode("utf-8", "replace")
