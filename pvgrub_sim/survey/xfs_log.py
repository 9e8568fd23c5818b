"""Does an XFS log hold anything that a mount would replay?

After Linux, fs/xfs/xfs_log_recover.c: the head of the log is where the cycle numbers of its 512-byte blocks step
down; the log is clean when the last record before it is an unmount record.
"""

from __future__ import annotations

from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.survey.xfs import Superblock
from pvgrub_sim.typed import Final

BLOCK: Final = 512
RECORD_MAGIC: Final = b"\xfe\xed\xba\xbe"
UNMOUNT: Final = 0x20
LONGEST_RECORD: Final = (256 << 10) // BLOCK + 16
"""Blocks that one record may have, its headers included."""


def log_state(area: Area, sb: Superblock) -> str:
    """`clean` or `needs recovery`; empty when the log lies on another device or is not understood."""
    if not sb.logstart or not sb.logblocks:
        return ""
    group, block = sb.logstart >> sb.agblklog, sb.logstart & ((1 << sb.agblklog) - 1)
    start = (group * sb.agblocks + block) * sb.blocksize
    blocks = sb.logblocks * sb.blocksize // BLOCK
    try:
        return _state(area, start, blocks)
    except Damaged:
        return ""


def _cycle(area: Area, start: int, index: int) -> int:
    raw = area.read(start + index * BLOCK, 8)
    return int.from_bytes(raw[4:8] if raw[:4] == RECORD_MAGIC else raw[:4], "big")


def _state(area: Area, start: int, blocks: int) -> str:
    first = _cycle(area, start, 0)
    if not first:
        # A log that was never written to.
        return "clean"
    head = blocks
    if _cycle(area, start, blocks - 1) != first:
        low, high = 0, blocks - 1
        while high - low > 1:
            middle = (low + high) // 2
            if _cycle(area, start, middle) == first:
                low = middle
            else:
                high = middle
        head = high
    for back in range(1, min(LONGEST_RECORD, blocks) + 1):
        index = (head - back) % blocks
        raw = area.read(start + index * BLOCK, BLOCK)
        if raw[:4] != RECORD_MAGIC:
            continue
        operations = int.from_bytes(raw[40:44], "big")
        if operations != 1:
            return "needs recovery"
        length, size = int.from_bytes(raw[12:16], "big"), int.from_bytes(raw[320:324], "big")
        version = int.from_bytes(raw[8:12], "big")
        headers = max(-(-size // 32768), 1) if version & 2 and length else 1
        body = area.read(start + (index + headers) % blocks * BLOCK, BLOCK)
        return "clean" if body[9] & UNMOUNT else "needs recovery"
    return ""
