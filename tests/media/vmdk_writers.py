"""Writers of VMDKs that qemu-img does not write: ESX's, and streams as VMware's tools write them (VMware, Virtual Disk
Format 5.0; ESX's COWD as qemu reads it)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SECTOR = 512


def write_cowd(folder: Path, content: bytes, *, grain: int = 1) -> Path:
    """A vmfsSparse disk: its descriptor and one COWD extent. grain: in sectors."""
    sectors = len(content) // SECTOR
    tables = -(-sectors // (grain * 4096))
    directory_at = 4
    place = directory_at + -(-tables * 4 // SECTOR)
    directory, body = [], bytearray()
    for number in range(tables):
        first = number * 4096 * grain
        wanted = [at for at in range(first, min(first + 4096 * grain, sectors), grain)
                  if any(content[at * SECTOR : (at + grain) * SECTOR])]  # fmt: skip
        if not wanted:
            directory.append(0)
            continue
        directory.append(place + len(body) // SECTOR)
        table = [0] * 4096
        grains = bytearray()
        data_at = place + (len(body) + 4096 * 4) // SECTOR
        for at in wanted:
            table[(at - first) // grain] = data_at + len(grains) // SECTOR
            grains += content[at * SECTOR : (at + grain) * SECTOR].ljust(grain * SECTOR, b"\0")
        body += struct.pack("<4096I", *table) + grains
    head = struct.pack("<4sIIIIII", b"COWD", 1, 3, sectors, grain, directory_at, tables).ljust(4 * SECTOR, b"\0")
    packed = struct.pack(f"<{tables}I", *directory)
    (folder / "disk-delta.vmdk").write_bytes(head + packed.ljust((place - directory_at) * SECTOR, b"\0") + body)
    return _descriptor(folder / "disk.vmdk", "vmfsSparse", [f'RW {sectors} VMFSSPARSE "disk-delta.vmdk"'])


def _descriptor(path: Path, kind: str, extents: list[str]) -> Path:
    lines = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff", f'createType="{kind}"', ""]
    path.write_text("\n".join([*lines, "# Extent description", *extents, "", "# The Disk Data Base", "#DDB", ""]))
    return path


def write_vmfs(folder: Path, content: bytes) -> Path:
    """A flat disk of ESX."""
    (folder / "disk-flat.vmdk").write_bytes(content)
    return _descriptor(folder / "disk.vmdk", "vmfs", [f'RW {len(content) // SECTOR} VMFS "disk-flat.vmdk"'])


def write_mixed(folder: Path, parts: list[bytes | int]) -> Path:
    """A disk of flat extents out of one file, and of zeros; parts: content, or sectors of zeros."""
    lines, file = [], b"x" * SECTOR
    for part in parts:
        if isinstance(part, int):
            lines.append(f"RW {part} ZERO")
        else:
            lines.append(f'RDONLY {len(part) // SECTOR} FLAT "parts.bin" {len(file) // SECTOR}')
            file += part
    (folder / "parts.bin").write_bytes(file)
    return _descriptor(folder / "disk.vmdk", "custom", lines)


def write_stream(image: Path, content: bytes, *, grain: int = 128, entries: int = 512) -> None:
    """A stream-optimised VMDK as VMware's tools write it: tables behind their grains, a footer names the directory."""
    sectors = len(content) // SECTOR
    text = '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="streamOptimized"\n\n'
    text += f'RW {sectors} SPARSE "{image.name}"\n'

    def header(directory: int) -> bytes:
        fields = (b"KDMV", 3, 0x30001, sectors, grain, 1, 20, entries, 0, directory, 128, 0, b"\n \r\n", 1)
        return struct.pack("<4sIIQQQQIQQQB4sH", *fields).ljust(SECTOR, b"\0")

    def marker(count: int, kind: int) -> bytes:
        return struct.pack("<QII", count, 0, kind).ljust(SECTOR, b"\0")

    out = bytearray(header(0xFFFFFFFFFFFFFFFF) + text.encode().ljust(20 * SECTOR, b"\0")).ljust(128 * SECTOR, b"\0")
    directory = []
    for first in range(0, sectors, grain * entries):
        table = [0] * entries
        for number, at in enumerate(range(first, min(first + grain * entries, sectors), grain)):
            part = content[at * SECTOR : (at + grain) * SECTOR].ljust(grain * SECTOR, b"\0")
            if any(part):
                table[number] = len(out) // SECTOR
                packed = zlib.compress(part)
                piece = struct.pack("<QI", at, len(packed)) + packed
                out += piece.ljust(-(-len(piece) // SECTOR) * SECTOR, b"\0")
        if any(table):
            out += marker(entries * 4 // SECTOR, 1)
            directory.append(len(out) // SECTOR)
            out += struct.pack(f"<{entries}I", *table)
        else:
            directory.append(0)
    out += marker(-(-len(directory) * 4 // SECTOR), 2)
    directory_at = len(out) // SECTOR
    packed = struct.pack(f"<{len(directory)}I", *directory)
    out += packed.ljust(-(-len(packed) // SECTOR) * SECTOR, b"\0")
    out += marker(1, 3) + header(directory_at) + bytes(SECTOR)
    image.write_bytes(out)
