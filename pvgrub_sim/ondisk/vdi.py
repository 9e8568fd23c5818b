"""VDI: the header (VirtualBox, src/VBox/Storage/VDICore.h: VDIPREHEADER, VDIHEADER1PLUS)."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final

SIGNATURE: Final = 0xBEDA107F
PRE_HEADER: Final = struct.Struct("<64sII")
"""text, signature, version."""
HEADER: Final = struct.Struct("<III256sIIIIIIIQIIII16s16s16s16s")
"""header's size, type, flags, comment, offsets of the block map and of the data, cylinders, heads, sectors, sector's
size, a dummy, the disk's size, the block's size, extra bytes of a block, blocks, blocks allocated, four UUIDs."""
HEADER_AT: Final = PRE_HEADER.size
DYNAMIC, FIXED, UNDO, DIFFERENCING = 1, 2, 3, 4
TYPES: Final = {DYNAMIC: "dynamic", FIXED: "fixed", UNDO: "undo", DIFFERENCING: "differencing"}
FREE: Final = 0xFFFFFFFF
ZERO: Final = 0xFFFFFFFE
