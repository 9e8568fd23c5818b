"""Kernels made to order: ELF files with Xen notes, bzImages around payloads of every format."""

from __future__ import annotations

import bz2
import functools
import lzma
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import lz4.block
import zstandard
from lzallright import LZOCompressor

from pvgrub_sim.ondisk.xen_notes import NoteType

BASE = 0xFFFFFFFF80000000
BASE_32 = 0xC0000000
START = 0x1000000
SMALL = 1 << 20
"""Bytes below which what is made once is kept."""

Value = int | bytes


def note(kind: int, value: Value, name: bytes = b"Xen\0", width: int = 8) -> bytes:
    """One ELF note; a number becomes width bytes."""
    desc = value.to_bytes(width, "little") if isinstance(value, int) else value
    head = struct.pack("<III", len(name), len(desc), kind)
    return head + name + bytes(-len(name) % 4) + desc + bytes(-len(desc) % 4)


def linux_notes(bits: int = 64, **changed: Value | None) -> bytes:
    """The notes of a Linux kernel; changed ones by name, None leaves one out."""
    base = BASE if bits == 64 else BASE_32
    values: dict[str, Value | None] = {
        "GUEST_OS": b"linux\0",
        "GUEST_VERSION": b"2.6\0",
        "XEN_VERSION": b"xen-3.0\0",
        "VIRT_BASE": base,
        "INIT_P2M": 0x8000000000 if bits == 64 else None,
        "PADDR_OFFSET": 0,
        "ENTRY": base + START + 0x100,
        "HYPERCALL_PAGE": base + START,
        "FEATURES": b"!writable_page_tables|pae_pgdir_above_4gb\0",
        "PAE_MODE": b"yes\0",
        "LOADER": b"generic\0",
        "SUSPEND_CANCEL": 1,
    }
    values.update(changed)
    width = bits // 8
    return b"".join(note(NoteType[name], value, width=width) for name, value in values.items() if value is not None)


@functools.cache
def _text(seed: int, size: int) -> bytes:
    """So many bytes that pack about as well as code."""
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(2, 9)) for _ in range(200)]
    # The same words that rng.choice() draws one by one, which takes ten times as long: it takes the upper byte of each
    # number of 32 bits, and another one where that is too large.
    count = size // 4
    numbers = 2 * count + 100
    drawn = rng.getrandbits(32 * numbers).to_bytes(4 * numbers, "little")[3::4]
    chosen = drawn.translate(None, bytes(range(len(words), 256)))[:count]
    assert len(chosen) == count
    return b"".join(map(words.__getitem__, chosen))[:size]


@dataclass
class Elf:
    """An ELF kernel to be; `build` gives the bytes."""

    bits: int = 64
    machine: int | None = None
    notes: bytes | None = None
    """None: those of a Linux kernel."""
    in_segment: bool = True
    in_section: bool = False
    guest: bytes | None = None
    """Content of a section __xen_guest."""
    paddr: int = START
    vaddr: int | None = None
    memsz: int | None = None
    size: int = 20000
    """Bytes of the one loadable segment."""
    sections: bool = True
    symbols: tuple[int, int] | None = None
    """Sizes of a symbol table and of its strings, in bytes."""
    header: dict[str, int] = field(default_factory=dict)
    """Fields of the ELF header to overwrite."""
    entry: int | None = None
    note_offset: int | None = None
    """Overwrites the note segment's p_offset."""
    note_size: int | None = None
    extra_segments: Sequence[tuple[int, ...]] = ()
    seed: int = 1
    ident: dict[int, int] = field(default_factory=dict)
    """Bytes of e_ident to overwrite."""

    def build(self) -> bytes:
        wide = self.bits == 64
        base = BASE if wide else BASE_32
        notes = linux_notes(self.bits) if self.notes is None else self.notes
        text = b"\xeb\xfe" + _text(self.seed, self.size)[2:]
        ehsize, phsize, shsize = (64, 56, 64) if wide else (52, 32, 40)
        vaddr = base + self.paddr if self.vaddr is None else self.vaddr
        mask = (1 << self.bits) - 1
        segments: list[tuple[int, ...]] = [
            (1, 5, 0, vaddr & mask, self.paddr, len(text), len(text) if self.memsz is None else self.memsz, 0x1000)
        ]
        if self.in_segment:
            segments.append((4, 4, 0, 0, 0, len(notes) if self.note_size is None else self.note_size, 0, 4))
        segments += self.extra_segments
        body = bytearray(ehsize + phsize * len(segments))
        at = {"text": len(body)}
        body += text
        body += bytes(-len(body) % 8)
        at["notes"] = len(body)
        body += notes
        at["guest"] = len(body)
        body += (self.guest + b"\0") if self.guest is not None else b""
        names = b"\0.text\0.notes\0__xen_guest\0.shstrtab\0"
        at["names"] = len(body)
        table: list[tuple[int, int, int, int]] = [(0, 0, 0, 0), (1, 1, at["text"], len(text))]
        if self.in_section:
            table.append((7, 7, at["notes"], len(notes)))
        if self.guest is not None:
            table.append((14, 1, at["guest"], len(self.guest) + 1))
        if self.symbols is not None:
            table += [(0, 2, at["text"], self.symbols[0]), (0, 3, at["text"], self.symbols[1])]
        table.append((26, 3, at["names"], len(names)))
        shoff = 0
        if self.sections:
            body += names
            body += bytes(-len(body) % 8)
            shoff = len(body)
            for index, (name, kind, offset, size) in enumerate(table):
                link = index + 1 if kind == 2 else 0
                if wide:
                    body += struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, link, 0, 4, 0)
                else:
                    body += struct.pack("<10I", name, kind, 0, 0, offset, size, link, 0, 4, 0)
        count = len(table) if self.sections else 0
        entry = (base + self.paddr + 0x100) & mask if self.entry is None else self.entry
        fields = {
            "type": 2,
            "machine": self.machine if self.machine is not None else (62 if wide else 3),
            "version": 1,
            "entry": entry,
            "phoff": ehsize,
            "shoff": shoff,
            "flags": 0,
            "ehsize": ehsize,
            "phentsize": phsize,
            "phnum": len(segments),
            "shentsize": shsize if self.sections else 0,
            "shnum": count,
            "shstrndx": max(count - 1, 0),
        }
        fields.update(self.header)
        ident = bytearray(b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9))
        for index, value in self.ident.items():
            ident[index] = value
        packed = struct.pack("<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH", *fields.values())
        body[:ehsize] = bytes(ident) + packed
        for index, (kind, flags, offset, virtual, physical, filesz, memsz, align) in enumerate(segments):
            where = offset or {1: at["text"], 4: at["notes"]}[kind]
            if kind == 4 and self.note_offset is not None:
                where = self.note_offset
            if wide:
                header = struct.pack("<IIQQQQQQ", kind, flags, where, virtual, physical, filesz, memsz, align)
            else:
                header = struct.pack("<8I", kind, where, virtual, physical, filesz, memsz, flags, align)
            body[ehsize + index * phsize : ehsize + (index + 1) * phsize] = header
        return bytes(body)


def size_word(data: bytes) -> bytes:
    """What the kernel's build appends to payloads other than gzip."""
    return struct.pack("<I", len(data) & 0xFFFFFFFF)


def pack_lz4(data: bytes) -> bytes:
    """A legacy lz4 frame."""
    out = bytearray(struct.pack("<I", 0x184C2102))
    for at in range(0, len(data), 8 << 20):
        chunk = lz4.block.compress(data[at : at + (8 << 20)], mode="high_compression", store_size=False)
        out += struct.pack("<I", len(chunk)) + chunk
    return bytes(out)


def pack_lzo(data: bytes, level_version: int = 0x1030, name: bytes = b"") -> bytes:
    """A file of lzop."""
    head = struct.pack(">HHHBBIIII", level_version, 0x20A0, 0x0940, 3, 9, 0x0300000D, 0, 0, 0)
    head += bytes([len(name)]) + name
    out = bytearray(b"\x89LZO\0\r\n\x1a\n" + head + struct.pack(">I", zlib.adler32(head)))
    codec = LZOCompressor()
    for at in range(0, len(data), 256 << 10):
        block = data[at : at + (256 << 10)]
        chunk = codec.compress(block)
        if len(chunk) >= len(block):
            chunk = block
        out += struct.pack(">III", len(block), len(chunk), zlib.adler32(block)) + chunk
    return bytes(out + bytes(4))


def pack_gzip(data: bytes, level: int = 9) -> bytes:
    """A gzip member."""
    stream = zlib.compressobj(level, zlib.DEFLATED, 31)
    return stream.compress(data) + stream.flush()


def pack_xz(data: bytes, check: int = lzma.CHECK_CRC32, bcj: bool = True, dict_size: int = 1 << 20) -> bytes:
    """An xz stream as the kernel's build makes it."""
    filters = [{"id": lzma.FILTER_X86}] if bcj else []
    filters.append({"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": dict_size})
    return lzma.compress(data, lzma.FORMAT_XZ, check, filters=filters)


def pack_lzma(data: bytes, dict_size: int = 1 << 20) -> bytes:
    """An lzma file with an end marker."""
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 6, "dict_size": dict_size}]
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=filters)


def pack_zstd(data: bytes, checksum: bool = True, content_size: bool = True) -> bytes:
    """A zstd frame."""
    compressor = zstandard.ZstdCompressor(level=19, write_checksum=checksum, write_content_size=content_size)
    return compressor.compress(data)


PACKERS = {
    "gzip": pack_gzip,
    "bzip2": bz2.compress,
    "xz": pack_xz,
    "lzma": pack_lzma,
    "lzo": pack_lzo,
    "lz4": pack_lz4,
    "zstd": pack_zstd,
    "none": bytes,
}


def payload(form: str, data: bytes) -> bytes:
    """A payload as the kernel's build makes it, its size word included; small ones are packed once."""
    return (_payload if len(data) < SMALL else _payload.__wrapped__)(form, data)


@functools.lru_cache(maxsize=64)
def _payload(form: str, data: bytes) -> bytes:
    packed = PACKERS[form](data)
    return packed if form in {"gzip", "none"} else packed + size_word(data)


def bzimage(
    payload: bytes,
    *,
    setup_sects: int = 4,
    version: int = 0x20F,
    offset: int = 0x2C0,
    length: int | None = None,
    trailing: bytes = bytes(100),
    text: bytes = b"6.1.0-made-to-order #1",
    magic: bytes = b"HdrS",
) -> bytes:
    """A bzImage around a payload."""
    out = bytearray((setup_sects + 1) * 512 + offset)
    out[0x1F1] = setup_sects
    out[0x1FE:0x200] = b"\x55\xaa"
    out[0x202:0x206] = magic
    struct.pack_into("<H", out, 0x206, version)
    if len(out) > 0x300 + len(text):
        struct.pack_into("<H", out, 0x20E, 0x100)
        out[0x300 : 0x300 + len(text)] = text
    struct.pack_into("<II", out, 0x248, offset, len(payload) if length is None else length)
    return bytes(out + payload + trailing)


def flat(
    flags: int = 0x10000 | 2 << 14,
    *,
    at: int = 64,
    size: int = 20000,
    checksum: int | None = None,
    header_addr: int | None = None,
    load_addr: int = 0x100000,
    load_end_addr: int = 0,
    bss_end_addr: int = 0,
) -> bytes:
    """A flat image with Xen's multiboot-like table."""
    out = bytearray(random.Random(7).randbytes(size))
    magic = 0x336EC578
    total = -(magic + flags) & 0xFFFFFFFF if checksum is None else checksum
    header_addr = (load_addr + at) & 0xFFFFFFFF if header_addr is None else header_addr
    table = struct.pack("<8I", magic, flags, total, header_addr, load_addr, load_end_addr, bss_end_addr, load_addr)
    out[at : at + 32] = table
    return bytes(out[:size])
