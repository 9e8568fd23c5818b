"""Writers of what qemu-img does not write, each after the format's own description: differencing VHD and VHDX, and a
VHDX with a log to be done."""

from __future__ import annotations

import random
import struct
import uuid
from pathlib import Path

SECTOR = 512
MIB = 1 << 20


def random_sectors(size: int, seed: str, count: int = 60) -> dict[int, bytes]:
    """Sectors of a disk with new content, in runs of up to 300."""
    source = random.Random(seed)
    found: dict[int, bytes] = {}
    for _ in range(count):
        at = source.randrange(size // SECTOR)
        for sector in range(at, min(at + source.choice((1, 3, 8, 50, 300)), size // SECTOR)):
            found[sector] = source.randbytes(SECTOR)
    return found


def laid_over(base: bytes, sectors: dict[int, bytes]) -> bytes:
    """The disk with those sectors."""
    disk = bytearray(base)
    for sector, content in sectors.items():
        disk[sector * SECTOR : (sector + 1) * SECTOR] = content
    return bytes(disk)


# --- VHD (Microsoft, Virtual Hard Disk Image Format Specification 1.0)


def _complement(raw: bytes) -> bytes:
    return struct.pack(">I", ~sum(raw) & 0xFFFFFFFF)


def write_differencing_vhd(
    image: Path,
    parent: Path,
    sectors: dict[int, bytes],
    *,
    locator: str | None,
    block: int = 2 * MIB,
    numbered: bool = True,
) -> None:
    """A differencing VHD over a parent with the sectors given.

    locator: the relative path as Windows writes it, in a locator W2ru; None leaves the name in the header only.
    numbered: whether it has the parent's number; else the parent is read raw, as Xen's libvhd has it.
    """
    old = parent.read_bytes()[-512:]
    size = struct.unpack_from(">Q", old, 48)[0]
    footer = bytearray(old)
    footer[16:24] = struct.pack(">Q", 512)
    footer[28:32] = b"win "
    footer[60:64] = struct.pack(">I", 4)
    footer[68:84] = uuid.uuid4().bytes
    footer[64:68] = bytes(4)
    footer[64:68] = _complement(footer)

    blocks = -(-size // block)
    table_at = 512 + 1024
    table_size = -(-blocks * 4 // 512) * 512
    text = (locator or "").encode("utf-16-le")
    locator_at = table_at + table_size
    header = bytearray(1024)
    header[0:8] = b"cxsparse"
    header[8:16] = b"\xff" * 8
    header[16:36] = struct.pack(">QIII", table_at, 0x10000, blocks, block)
    header[40:56] = old[68:84] if numbered else bytes(16)
    header[64 : 64 + 2 * len(parent.name)] = parent.name.encode("utf-16-be")
    if locator is not None:
        header[576:600] = struct.pack(">4sIIIQ", b"W2ru", 512, len(text), 0, locator_at)
    header[36:40] = _complement(header)

    table = [0xFFFFFFFF] * blocks
    body = bytearray(text.ljust(512, b"\0"))
    per_block = block // SECTOR
    bitmap_size = -(-per_block // 8 // 512) * 512
    for number in dict.fromkeys(sector // per_block for sector in sectors):
        table[number] = (locator_at + len(body)) // SECTOR
        bitmap = bytearray(bitmap_size)
        content = bytearray(b"\xdb" * block)
        for sector in range(number * per_block, (number + 1) * per_block):
            if sector in sectors:
                place = sector - number * per_block
                bitmap[place // 8] |= 0x80 >> place % 8
                content[place * SECTOR : (place + 1) * SECTOR] = sectors[sector]
        body += bitmap + content
    packed = struct.pack(f">{blocks}I", *table).ljust(table_size, b"\xff")
    image.write_bytes(bytes(footer) + header + packed + body + footer)


# --- VHDX ([MS-VHDX])


def crc32c(data: bytes) -> int:
    """The CRC-32C, bit by bit over a table made here."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _summed(raw: bytes) -> bytes:
    zeroed = raw[:4] + bytes(4) + raw[8:]
    return raw[:4] + struct.pack("<I", crc32c(zeroed)) + raw[8:]


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


FILE_PARAMETERS = _guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
DISK_SIZE = _guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
DISK_ID = _guid("BECA12AB-B2E6-4523-93EF-C309E000C746")
LOGICAL = _guid("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
PHYSICAL = _guid("CDA348C7-445D-4471-9CC9-E9885251C556")
LOCATOR = _guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
PARENT_TYPE = _guid("B04AEFB7-D19E-4A81-B789-25B8E9445913")
BAT = _guid("2DC27766-F623-4200-9D64-115E9BFD4A08")
METADATA = _guid("8B7CA206-4790-4B9A-B8FE-575F050F886E")


def data_write_guid(image: Path) -> uuid.UUID:
    """The GUID of a VHDX's last change, from the header in force."""
    raw = image.read_bytes()[: 192 << 10]
    headers = [raw[at : at + 4096] for at in (64 << 10, 128 << 10)]
    newest = max(headers, key=lambda one: struct.unpack_from("<Q", one, 8)[0])
    return uuid.UUID(bytes_le=newest[32:48])


def _parent_locator(pairs: dict[str, str]) -> bytes:
    head = PARENT_TYPE + struct.pack("<HH", 0, len(pairs))
    at = len(head) + 12 * len(pairs)
    entries = text = b""
    for key, value in pairs.items():
        raw_key, raw_value = key.encode("utf-16-le"), value.encode("utf-16-le")
        entries += struct.pack("<IIHH", at, at + len(raw_key), len(raw_key), len(raw_value))
        text += raw_key + raw_value
        at += len(raw_key) + len(raw_value)
    return head + entries + text


def _metadata(items: dict[bytes, tuple[int, bytes]]) -> bytes:
    """The metadata region; items: flags and content by GUID."""
    table = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    body = b""
    for guid, (flags, content) in items.items():
        table += guid + struct.pack("<IIII", (64 << 10) + len(body), len(content), flags, 0)
        body += content
    return (table.ljust(64 << 10, b"\0") + body).ljust(MIB, b"\0")


def write_differencing_vhdx(
    image: Path, parent: Path, size: int, sectors: dict[int, bytes], *, whole: set[int], zero: set[int],
    linkage: uuid.UUID | None = None, block: int = MIB,
) -> None:  # fmt: skip
    """A differencing VHDX over a parent.

    sectors: with new content. whole, zero: blocks that have no sector of the parent: all here, or all zeros.
    """
    pairs = {
        "parent_linkage": "{" + str(linkage or data_write_guid(parent)) + "}",
        "relative_path": ".\\" + parent.name,
        "absolute_win32_path": "C:\\vms\\" + parent.name,
    }
    items = {
        FILE_PARAMETERS: (4, struct.pack("<II", block, 2)),
        DISK_SIZE: (6, struct.pack("<Q", size)),
        DISK_ID: (6, uuid.uuid4().bytes),
        LOGICAL: (6, struct.pack("<I", 512)),
        PHYSICAL: (6, struct.pack("<I", 4096)),
        LOCATOR: (4, _parent_locator(pairs)),
    }
    chunk = (1 << 23) * 512 // block
    blocks = -(-size // block)
    chunks = -(-blocks // chunk)
    bat = [0] * (chunks * (chunk + 1))
    bat_at, metadata_at, log_at = 3 * MIB, 2 * MIB, MIB
    bat_size = -(-len(bat) * 8 // MIB) * MIB
    body = bytearray()
    body_at = bat_at + bat_size
    bitmaps = [bytearray(MIB) for _ in range(chunks)]
    per_block = block // SECTOR
    for number in range(blocks):
        content = bytearray(b"\xdb" * block)
        written = [sector for sector in range(number * per_block, (number + 1) * per_block) if sector in sectors]
        for sector in written:
            place = sector - number * per_block
            content[place * SECTOR : (place + 1) * SECTOR] = sectors[sector]
            bit = (number % chunk) * per_block + place
            bitmaps[number // chunk][bit // 8] |= 1 << bit % 8
        entry = number + number // chunk
        if number in zero:
            bat[entry] = 2
        elif number in whole:
            bat[entry] = (body_at + len(body)) | 6
            body += content
        elif written:
            bat[entry] = (body_at + len(body)) | 7
            body += content
    for number, bitmap in enumerate(bitmaps):
        bat[(number + 1) * chunk + number] = (body_at + len(body)) | 6
        body += bitmap

    header = struct.pack("<4sIQ", b"head", 0, 7) + uuid.uuid4().bytes + uuid.uuid4().bytes + bytes(16)
    header = _summed((header + struct.pack("<HHIQ", 0, 1, MIB, log_at)).ljust(4096, b"\0"))
    regions = struct.pack("<4sIII", b"regi", 0, 2, 0)
    regions += BAT + struct.pack("<QII", bat_at, bat_size, 1) + METADATA + struct.pack("<QII", metadata_at, MIB, 1)
    regions = _summed(regions.ljust(64 << 10, b"\0"))
    first = b"vhdxfile".ljust(64 << 10, b"\0") + 2 * header.ljust(64 << 10, b"\0") + 2 * regions
    table = struct.pack(f"<{len(bat)}Q", *bat).ljust(bat_size, b"\0")
    image.write_bytes(first.ljust(MIB, b"\0") + bytes(MIB) + _metadata(items) + table + body)


def into_the_log(image: Path, places: list[int], zeros: list[tuple[int, int]], *, wrap: bool = False) -> None:
    """Undo what stands at some places of a VHDX, and put it into the log instead.

    places: of 4 KiB. zeros: offset and length of stretches that are zero now. wrap: the entries go over the log's end.
    """
    raw = bytearray(image.read_bytes())
    headers = (64 << 10, 128 << 10)
    newest = max(headers, key=lambda at: struct.unpack_from("<Q", raw, at + 8)[0])
    length, log_at = struct.unpack_from("<IQ", raw, newest + 68)
    guid = uuid.uuid4().bytes
    steps: list[list[tuple[bytes, bytes]]] = []
    for at in places:
        content = bytes(raw[at : at + 4096])
        raw[at : at + 4096] = b"\x5a" * 4096
        steps.append([(b"desc" + content[4092:] + content[:8] + struct.pack("<Q", at), content)])
    for at, size in zeros:
        assert not any(raw[at : at + size])
        raw[at : at + size] = b"\xa5" * size
        steps.append([(b"zero" + bytes(4) + struct.pack("<QQ", size, at), b"")])
    if len(steps) > 3:
        # One entry that does several things.
        steps[1:3] = [steps[1] + steps[2]]

    sizes = [4096 * (1 + sum(bool(content) for _, content in step)) for step in steps]
    tail = length - sum(sizes[:1]) - 4096 if wrap else 8192
    log = bytearray(length)
    where = tail
    for number, (step, size) in enumerate(zip(steps, sizes, strict=True)):
        sequence = struct.pack("<Q", 41 + number)
        entry = struct.pack("<4sIII", b"loge", 0, size, tail) + sequence
        entry += struct.pack("<II", len(step), 0) + guid + struct.pack("<QQ", len(raw), len(raw))
        entry += b"".join(descriptor + sequence for descriptor, _ in step)
        entry = entry.ljust(4096, b"\0")
        for _, content in step:
            if content:
                entry += b"data" + sequence[4:] + content[8:4092] + sequence[:4]
        entry = _summed(entry)
        for begin in range(0, len(entry), 4096):
            place = (where + begin) % length
            log[place : place + 4096] = entry[begin : begin + 4096]
        where = (where + size) % length
    raw[log_at : log_at + length] = log
    head = bytearray(raw[newest : newest + 4096])
    head[8:16] = struct.pack("<Q", struct.unpack_from("<Q", head, 8)[0] + 1)
    head[48:64] = guid
    other = headers[0] if newest == headers[1] else headers[1]
    raw[other : other + 4096] = _summed(bytes(head))
    image.write_bytes(raw)
