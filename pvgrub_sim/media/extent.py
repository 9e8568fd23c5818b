"""How far a disk is used, told by its first bytes."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final

_MBR_ENTRY: Final = struct.Struct("<4xB3xII")


def used_bytes(head: bytes) -> int:
    """How far a disk is used by the partitions, or the filesystem, that begin in its first 4 KiB; 0 where none does."""
    if len(head) < 4096:
        return 0
    if head[1080:1082] == b"\x53\xef":
        blocks, log = struct.unpack_from("<I", head, 1028)[0], head[1048]
        return blocks << 10 + log if log <= 6 else 0
    if head[:4] == b"XFSB":
        return int.from_bytes(head[4:8], "big") * int.from_bytes(head[8:16], "big")
    if head[510:512] != b"\x55\xaa":
        return 0
    entries = list(_MBR_ENTRY.iter_unpack(head[446:510]))
    if any(kind == 0xEE for kind, _, _ in entries) and head[512:520] == b"EFI PART":
        return (int.from_bytes(head[544:552], "little") + 1) * 512
    return max((first + count) * 512 for kind, first, count in entries if kind) if any(e[0] for e in entries) else 0
