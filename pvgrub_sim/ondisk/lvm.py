"""LVM2 physical volumes: label, header and metadata area (LVM2: lib/format_text/layout.h, lib/label/label.h)."""

from __future__ import annotations

from construct import Bytes, Const, Int32ul, Int64ul, Struct

SECTOR_SIZE = 512
LABEL_SECTORS = 4
"""The label is in one of the first four sectors."""

LABEL = Struct(
    "id" / Const(b"LABELONE"),
    "sector" / Int64ul,
    "crc" / Int32ul,
    "offset" / Int32ul,
    "type" / Const(b"LVM2 001"),
)
assert LABEL.sizeof() == 32

PV_HEADER = Struct("uuid" / Bytes(32), "device_size" / Int64ul)
"""Followed by lists of data areas and of metadata areas, each ended by zeros."""
assert PV_HEADER.sizeof() == 40

DISK_LOCATION = Struct("offset" / Int64ul, "size" / Int64ul)
assert DISK_LOCATION.sizeof() == 16

RAW_LOCATION = Struct("offset" / Int64ul, "size" / Int64ul, "checksum" / Int32ul, "flags" / Int32ul)
RAW_LOCATION_IGNORED = 1

MDA_HEADER = Struct(
    "checksum" / Int32ul,
    "magic" / Const(b" LVM2 x[5A%r0N*>"),
    "version" / Int32ul,
    "start" / Int64ul,
    "size" / Int64ul,
    "location" / RAW_LOCATION,
)
assert MDA_HEADER.sizeof() == 64
MDA_HEADER_SIZE = 512
"""The text wraps around to this offset."""
