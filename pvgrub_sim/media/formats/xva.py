"""XVA: a machine as XenServer and XCP-ng export it, in chunks of 1 MiB with a checksum behind each.

As ocaml/xapi/export.ml and stream_vdi.ml of xen-api write and read it: a tar archive of `ova.xml` and, for each disk,
`Ref:N/00000000` and so on, each followed by a member of the same name with `.checksum` (SHA-1) or `.xxhash` (XXH64).
Chunks of zeros are left out, but for the first and the last. A chunk of no bytes keeps connections open that were
silent for long: it takes a number and stands for nothing, so that later chunks lie before where their numbers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha1
from xml.etree.ElementTree import Element

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer, layers_of
from pvgrub_sim.media.formats.borrowed import Shared
from pvgrub_sim.media.formats.members import content, shown
from pvgrub_sim.media.formats.tar import Member, TarReader
from pvgrub_sim.media.formats.xml import parse_xml, text_of
from pvgrub_sim.media.machine import MOST_DISKS, Booting, MachineDisk
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

CHUNK: Final = 1 << 20
LONGEST_REFERENCE: Final = 200
"""Characters of a disk's reference, which is part of its name; `OpaqueRef:` and a UUID have 46."""
_LARGEST_DISK: Final = 1 << 46
_CHUNK_NAME: Final = re.compile(rb"(?:\./)?([^/]+)/(\d{8,12})(\.checksum|\.xxhash)?")


class Record(NamedTuple):
    """An object of ova.xml: its class, its reference, and its fields as text (lists and maps are left out)."""

    kind: str
    reference: str
    fields: dict[str, str]


class _Chunk(NamedTuple):
    """Where a chunk lies in the archive, how long it is, and its checksum, once that was found."""

    source: int
    length: int
    algorithm: str
    checksum: bytes


def open_xva(below: Disk, context: Context) -> Disk:
    """The disks of the machine in the order of their device numbers; raises ImageError for what is amiss."""
    members = iter(TarReader(below))
    first = next(members, None)
    if first is None or first.name.removeprefix(b"./") != b"ova.xml":
        raise ImageError(below.name, "is an XVA that does not begin with ova.xml")
    records = read_records(below.name, content(below, first, 16 << 20))
    machine, drives = _machine(below.name, records)
    chunks = _Chunks(below, members)
    shared = Shared(below)
    with ExitStack() as stack:
        disks: list[tuple[str, Disk]] = []
        for number, reference, size in drives:
            borrowed = shared.borrow()
            stack.callback(borrowed.close)
            folder = reference.encode("utf-8", "surrogateescape")
            # Plans tell disks apart by their names.
            name = f"{below.name}:{reference}"
            layer = Layer("xva", name, size, "chunks with checksums")
            fetch = chunks.fetcher(folder, size)
            layers = (layer, *layers_of(below))
            disk = BlockDisk(name, size, CHUNK, fetch, layers, closing=borrowed.close)
            disks.append((f"/dev/xvd{chr(ord('a') + number)}", disk))
        stack.pop_all()
    return MachineDisk(below.name, disks, machine)


class _Chunks:
    """The chunks of all disks, found in the order of the archive, as far as one is wanted."""

    def __init__(self, below: Disk, members: Iterator[Member]) -> None:
        self.below = below
        self._members = members
        self._found: dict[bytes, dict[int, _Chunk]] = {}
        """By folder and place on the disk, in chunks."""
        self._folder = b""
        self._last = -1
        self._shift = 0
        """Chunks without bytes so far: numbers that stand for nothing."""
        self._short = False
        """Whether the disk has had a chunk that is shorter than others, which is its last one."""
        self._done: set[bytes] = set()
        self._ended = False
        self._failed: ImageError | None = None

    def fetcher(self, folder: bytes, size: int) -> _Fetcher:
        """What gets the chunks of one disk."""
        return _Fetcher(self, folder, size)

    def find(self, folder: bytes, place: int) -> _Chunk | None:
        """A chunk, None when the archive has none there; raises ImageError for what is out of order."""
        while place not in self._found.get(folder, {}):
            if folder in self._done or (folder == self._folder and self._last - self._shift > place):
                return None
            if not self._go_on():
                return None
        return self._found[folder][place]

    def cut_short(self, folder: bytes, last: int) -> bool:
        """Whether all chunks of a disk have passed by, and not the last one, which is always there."""
        return (self._ended or folder in self._done) and last not in self._found.get(folder, {})

    def chunk(self, chunk: _Chunk) -> bytes:
        """The bytes of a chunk as they lie there."""
        return self.below.read(chunk.source, chunk.length)

    def _go_on(self) -> bool:
        """As _advance(), which is not called again once it fails: what follows would count as what is missing."""
        if self._failed is not None:
            raise self._failed.with_traceback(None)
        try:
            return self._advance()
        except ImageError as error:
            self._failed = ImageError(error.path, error.reason, error.offset)
            raise

    def _advance(self) -> bool:
        """Find the next chunk with its checksum; False at the end."""
        member = next(self._members, None)
        match = _CHUNK_NAME.fullmatch(member.name) if member is not None else None
        if member is None:
            self._ended = True
            return False
        if match is None or match[3] or not member.is_file:
            # Whatever else newer versions put there is no part of a disk.
            return True
        folder, number = match[1], int(match[2])
        if folder != self._folder:
            self._done.add(self._folder)
            if folder in self._done:
                raise ImageError(self.below.name, f"chunks of {shown(folder)} in two places", member.end)
            self._folder, self._last, self._shift, self._short = folder, -1, 0, False
        if number <= self._last:
            raise ImageError(self.below.name, f"chunk {shown(member.name)} is out of order", member.end)
        if self._short:
            raise ImageError(self.below.name, f"chunk {shown(member.name)} comes behind a shorter one", member.end)
        self._last = number
        check = next(self._members, None)
        if check is None or check.name not in (member.name + b".checksum", member.name + b".xxhash"):
            raise ImageError(self.below.name, f"chunk {shown(member.name)} has no checksum behind it", member.end)
        if member.size == 0:
            self._shift += 1
            return True
        if len(member.pieces) != 1 or member.size > CHUNK:
            raise ImageError(self.below.name, f"chunk {shown(member.name)} has {member.size} bytes", member.end)
        self._short = member.size < CHUNK
        algorithm = check.name.rpartition(b".")[2].decode()
        told = content(self.below, check, 64).strip().lower()
        chunk = _Chunk(member.pieces[0].source, member.size, algorithm, told)
        self._found.setdefault(folder, {})[number - self._shift] = chunk
        return True


class _Fetcher:
    """Gets the chunks of one disk, each checked."""

    def __init__(self, chunks: _Chunks, folder: bytes, size: int) -> None:
        self._chunks = chunks
        self._folder = folder
        self._size = size

    def __call__(self, first: int, count: int) -> list[bytes]:
        return [self._get(number) for number in range(first, first + count)]

    def _get(self, number: int) -> bytes:
        length = min(CHUNK, self._size - number * CHUNK)
        chunk = self._chunks.find(self._folder, number)
        name = f"{shown(self._folder)} at {number * CHUNK}"
        below = self._chunks.below
        if chunk is None:
            if number == 0:
                raise ImageError(below.name, f"has no chunks of the disk {shown(self._folder)}")
            if self._chunks.cut_short(self._folder, (self._size - 1) // CHUNK):
                raise ImageError(below.name, f"ends before the last chunk of the disk {shown(self._folder)}")
            return bytes(length)
        # The last one may be whole where the disk is not.
        if chunk.length < length:
            raise ImageError(below.name, f"chunk {name} has {chunk.length} bytes instead of {length}", chunk.source)
        data = self._chunks.chunk(chunk)
        if _checksum(below.name, chunk.algorithm, data) != chunk.checksum:
            raise ImageError(below.name, f"chunk {name} does not have its checksum ({chunk.algorithm})", chunk.source)
        return data[:length]


def _checksum(name: str, algorithm: str, data: bytes) -> bytes:
    if algorithm == "checksum":
        return sha1(data, usedforsecurity=False).hexdigest().encode()
    try:
        from xxhash import xxh64_hexdigest
    except ImportError:
        raise UsageError(f"{name}: its checksums are xxHash's (pip install 'pvgrub-sim[xva]')") from None
    digest: str = xxh64_hexdigest(data)
    return digest.encode()


def read_records(name: str, raw: bytes) -> list[Record]:
    """The objects of ova.xml, which is a value of XML-RPC; raises ImageError when there are none."""
    root = parse_xml(f"{name}:ova.xml", raw)
    if root.tag == "appliance":
        raise ImageError(name, "is an XVA of XenServer 3, which no later version writes: import and export it there")
    top = _members(root)
    objects = top.get("objects")
    values = objects.iterfind("array/data/value") if objects is not None else ()
    records: list[Record] = []
    for value in values:
        parts = _members(value)
        snapshot = parts.get("snapshot")
        fields = {key: _text(one) for key, one in (_members(snapshot) if snapshot is not None else {}).items()}
        kind, reference = (_text(parts[key]) if key in parts else "" for key in ("class", "id"))
        records.append(Record(kind, reference, fields))
    if not records:
        raise ImageError(name, "is an XVA whose ova.xml tells of no objects")
    return records


def _members(value: Element) -> dict[str, Element]:
    """The members of a struct, by name."""
    found: dict[str, Element] = {}
    for member in value.iterfind("struct/member"):
        inner = member.find("value")
        if inner is not None:
            found[text_of(member, "name")] = inner
    return found


def _text(value: Element) -> str:
    """A scalar: text by itself, or inside of `string`, `boolean` and so on."""
    inner = value[0] if len(value) else value
    return (inner.text or "").strip() if inner.tag not in ("struct", "array") else ""


def _machine(name: str, records: list[Record]) -> tuple[Booting, list[tuple[int, str, int]]]:
    """How the machine is booted; and number, reference and size of each of its disks, by number."""
    machines = [one for one in records if one.kind == "VM" and one.fields.get("is_a_snapshot") not in ("1", "true")]
    if len(machines) != 1:
        raise ImageError(name, f"is an XVA of {len(machines)} machines, and one is wanted")
    machine = machines[0]
    sizes = {one.reference: one.fields.get("virtual_size", "") for one in records if one.kind == "VDI"}
    drives: dict[int, tuple[int, str, int]] = {}
    for record in records:
        fields = record.fields
        mine = record.kind == "VBD" and fields.get("VM") == machine.reference
        if not mine or fields.get("type", "Disk") != "Disk" or fields.get("VDI") not in sizes:
            continue
        number, size = fields.get("userdevice", ""), sizes[fields["VDI"]]
        if not number.isdecimal() or len(number) > 3 or int(number) >= MOST_DISKS or int(number) in drives:
            raise ImageError(name, f"is an XVA with a disk {number[:40]!r}, which is no device number of its own")
        if not size.isdecimal() or len(size) > 18 or not 0 < int(size) <= _LARGEST_DISK:
            raise ImageError(name, f"is an XVA with a disk of {size[:40]!r} bytes")
        if len(fields["VDI"]) > LONGEST_REFERENCE:
            raise ImageError(name, f"is an XVA with a disk whose reference has {len(fields['VDI'])} characters")
        drives[int(number)] = (int(number), fields["VDI"], int(size))
    if not drives:
        raise ImageError(name, "is an XVA whose machine has no disk")
    fields = machine.fields
    booting = Booting(
        fields.get("PV_bootloader") or None,
        fields.get("PV_kernel") or None,
        fields.get("PV_ramdisk") or None,
        fields.get("PV_args") or None,
        bool(fields.get("HVM_boot_policy")),
    )
    return booting, [drives[number] for number in sorted(drives)]
