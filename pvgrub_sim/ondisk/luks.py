"""LUKS headers (LUKS On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1)."""

from __future__ import annotations

from construct import Bytes, Const, Int16ub, Int32ub, Int64ub, Struct

MAGIC = b"LUKS\xba\xbe"

LUKS1 = Struct(
    "magic" / Const(MAGIC),
    "version" / Int16ub,
    "cipher_name" / Bytes(32),
    "cipher_mode" / Bytes(32),
    "hash_spec" / Bytes(32),
    "payload_offset" / Int32ub,
    "key_bytes" / Int32ub,
    "digest" / Bytes(20 + 32 + 4),
    "uuid" / Bytes(40),
)
assert LUKS1.sizeof() == 208

LUKS2 = Struct(
    "magic" / Const(MAGIC),
    "version" / Int16ub,
    "header_size" / Int64ub,
    "sequence" / Int64ub,
    "label" / Bytes(48),
    "checksum_algorithm" / Bytes(32),
    "salt" / Bytes(64),
    "uuid" / Bytes(40),
    "subsystem" / Bytes(48),
)
assert LUKS2.sizeof() == 256
