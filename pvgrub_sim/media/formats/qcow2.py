"""qcow2, versions 2 and 3 (qemu, docs/interop/qcow2.txt): the active state, read-only; snapshots are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.formats.beside import open_beside
from pvgrub_sim.media.formats.deflate import inflate
from pvgrub_sim.media.formats.mapped import Mapped, Padded, Piece, Table, merged
from pvgrub_sim.media.formats.packed import Packed, Unpacker
from pvgrub_sim.ondisk import qcow2 as layout
from pvgrub_sim.safetext import quoted
from pvgrub_sim.typed import Any, Final
from pvgrub_sim.zstd import zstd_library

HEAD: Final = 64 << 10
"""Bytes in which the header, its extensions and the names in it must lie."""
LARGEST_L1: Final = 32 << 20
"""Bytes of an L1 table, as qemu has it."""
TABLES_KEPT: Final = 64
_DECRYPT: Final = (
    "`qemu-img convert --object secret,id=key,file=PASSPHRASE "
    "--image-opts driver=qcow2,file.filename=IMAGE,encrypt.key-secret=key -O raw disk.raw` makes a raw image of it"
)
_CONVERT: Final = "`qemu-img convert -O raw IMAGE disk.raw` makes a raw image of it, if that qemu knows the feature"
_idle: Final[list[Any]] = []
"""Decompressors of zstd that no thread is using: to make one costs a seventh of what a cluster of 64 KiB does."""
_BACKING_FORMATS: Final = {"vpc": "vhd", "file": "raw", "host_device": "raw"}


def open_qcow2(below: Disk, context: Context) -> Disk:
    """The disk inside a qcow2 image; raises ImageError for what is damaged, encrypted or unknown."""
    disk = Qcow2(below)
    try:
        disk.open_others(context)
    except BaseException:  # Ctrl-C as well; it is passed on
        for other in disk.others:
            other.close()
        raise
    return disk


class Qcow2(Mapped):
    """A qcow2 image.

    below: the file. Raises ImageError.
    """

    def __init__(self, below: Disk) -> None:
        try:
            self.header = header = layout.parse(below.read(0, min(HEAD, below.size)))
        except ValueError as error:
            raise ImageError(below.name, f"damaged qcow2 image: {error}", 0) from None
        super().__init__(below, "qcow2", header.size // SECTOR_SIZE * SECTOR_SIZE)
        if header.crypt_method:
            method = {1: "AES", 2: "LUKS"}.get(header.crypt_method, str(header.crypt_method))
            raise self.refused(f"is encrypted ({method})", _DECRYPT)
        if unknown := header.incompatible & ~layout.KNOWN_INCOMPATIBLE:
            raise self.refused(f"has the unknown feature {layout.feature_name(header, unknown)}", _CONVERT)
        if not layout.SMALLEST_CLUSTER <= header.cluster_bits <= layout.LARGEST_CLUSTER:
            raise self.damaged(f"clusters of 2^{header.cluster_bits} bytes", 20)
        self.cluster = 1 << header.cluster_bits
        self._extended = bool(header.incompatible & layout.EXTENDED_L2)
        self._words = 2 if self._extended else 1
        self._l2_entries = self.cluster // (8 * self._words)
        needed = -(-header.size // (self.cluster * self._l2_entries))
        if header.l1_size < needed or needed * 8 > LARGEST_L1:
            raise self.damaged(f"an L1 table of {header.l1_size} entries for {header.size} bytes", 36)
        self._l1 = Table(below, header.l1_offset, needed, "Q", "big")
        if not self._l1.inside:
            raise self.damaged("the L1 table lies outside of the file", header.l1_offset)
        self._l2: dict[int, Table] = {}
        self._unpacker = Unpacker(self._fetch, self._unpack)
        self._data: Disk = Padded(below)
        self._data_size = below.size
        self._backing: Disk | None = None
        self.detail = self._describe()

    def _describe(self) -> str:
        header = self.header
        words = [f"v{header.version}", f"clusters of {self.cluster}"]
        words += ["zstd"] if header.compression == layout.ZSTD else []
        words += ["subclusters"] if self._extended else []
        words += [f"{header.snapshots} snapshots"] if header.snapshots else []
        words += ["marked corrupt"] if header.incompatible & layout.CORRUPT else []
        words += [f"backing file {quoted(header.backing)}"] if header.backing is not None else []
        return ", ".join(words)

    def open_others(self, context: Context) -> None:
        """Open the data file and the backing file that the header names."""
        header = self.header
        if header.incompatible & layout.DATA_FILE:
            if header.data_file is None:
                raise self.refused("keeps its data in a file that it does not name")
            data = open_beside(self.below, header.data_file, "raw", context, "data file")
            self.others.append(data)
            self._data, self._data_size = Padded(data), data.size
        if header.backing is not None:
            image_format = header.backing_format or "auto"
            image_format = _BACKING_FORMATS.get(image_format, image_format)
            backing = open_beside(self.below, header.backing, image_format, context)
            self.others.append(backing)
            self._backing = Padded(backing)

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        pieces = self._clusters(offset, length)
        # Most reads are of one cluster, of which nothing is to be put together.
        return pieces if (offset & self.cluster - 1) + length <= self.cluster else merged(pieces)

    def _clusters(self, offset: int, length: int) -> Iterator[Piece]:
        cluster, mask = self.cluster, self.cluster - 1
        bits = self.header.cluster_bits
        end = offset + length
        while offset < end:
            l1_index, first = divmod(offset >> bits, self._l2_entries)
            table = self._l2_table(l1_index)
            last = min(self._l2_entries, first + ((end - 1 >> bits) - (offset >> bits)) + 1)
            if table is None:
                size = min(end, (l1_index * self._l2_entries + last) << bits) - offset
                yield size, self._backing, offset
                offset += size
                continue
            index = first
            while index < last:
                count = 1
                size = min(end - offset, cluster - (offset & mask))
                page, place = table.page(index * self._words)
                entry = page[place]
                if entry & layout.COMPRESSED or self._extended:
                    yield from self._special(entry, page[place + 1] if self._extended else 0, offset, size)
                elif entry & layout.ZERO:
                    if self.header.version < 3:
                        raise self.damaged("a cluster of zeros, which version 2 has not", table.offset + index * 8)
                    yield size, None, 0
                elif (host := entry & layout.OFFSET_MASK) or self._at_zero(entry):
                    self._check_host(host, table, index)
                    count = self._in_a_row(page, place, min(last - index, -(-(self._data_size - host) // cluster)))
                    size = min(end - offset, count * cluster - (offset & mask))
                    yield size, self._data, host + (offset & mask)
                else:
                    yield size, self._backing, offset
                offset += size
                index += count

    def _in_a_row(self, page: Sequence[int], place: int, most: int) -> int:
        """How many clusters from an entry of a page on lie behind each other in the file."""
        entry, count = page[place], 1
        most = min(most, len(page) - place)
        while count < most and page[place + count] == entry + count * self.cluster:
            count += 1
        return count

    def _at_zero(self, entry: int) -> bool:
        """Only in a data file does a cluster lie at offset 0."""
        return bool(entry & layout.COPIED and self.header.incompatible & layout.DATA_FILE)

    def _l2_table(self, l1_index: int) -> Table | None:
        table = self._l2.get(l1_index)
        if table is None:
            offset = self._l1[l1_index] & layout.OFFSET_MASK
            if not offset:
                return None
            table = Table(self.below, offset, self._l2_entries * self._words, "Q", "big")
            if offset & (self.cluster - 1) or not table.inside:
                raise self.damaged("an L2 table lies outside of the file, or between clusters", offset)
            if len(self._l2) >= TABLES_KEPT:
                self._l2.clear()
            self._l2[l1_index] = table
        return table

    def _check_host(self, host: int, table: Table, index: int) -> None:
        if host & (self.cluster - 1) or host >= self._data_size:
            where = table.offset + index * 8 * self._words
            raise self.damaged(f"a cluster at {host} lies outside of the file, or between clusters", where)

    def _special(self, entry: int, bitmap: int, offset: int, size: int) -> Iterator[Piece]:
        """A compressed cluster, or one with subclusters."""
        inside = offset & (self.cluster - 1)
        if entry & layout.COMPRESSED:
            shift = 62 - (self.header.cluster_bits - 8)
            at = entry & ((1 << shift) - 1)
            sectors = (entry >> shift & (1 << (self.header.cluster_bits - 8)) - 1) + 1
            yield size, Packed(self._unpacker, at, sectors * SECTOR_SIZE - at % SECTOR_SIZE), inside
            return
        host = entry & layout.OFFSET_MASK
        if bitmap == layout.ALL_PLACED and host and not host & (self.cluster - 1) and host < self._data_size:
            yield size, self._data, host + inside
            return
        if bitmap & bitmap >> layout.SUBCLUSTERS & layout.ALL_PLACED:
            raise self.damaged("a subcluster has a place, and is zeros as well")
        sub = self.cluster // layout.SUBCLUSTERS
        end = offset + size
        while offset < end:
            number, begin = divmod(offset & (self.cluster - 1), sub)
            part = min(end - offset, sub - begin)
            if bitmap >> (32 + number) & 1:
                yield part, None, 0
            elif bitmap >> number & 1:
                if not host and not self._at_zero(entry):
                    raise self.damaged("a subcluster has a place in a cluster that has none")
                if host & (self.cluster - 1) or host >= self._data_size:
                    raise self.damaged(f"a cluster at {host} lies outside of the file, or between clusters")
                yield part, self._data, host + number * sub + begin
            else:
                yield part, self._backing, offset
            offset += part

    def _fetch(self, at: int, length: int) -> bytes:
        if at >= self.below.size or self.header.incompatible & layout.DATA_FILE:
            raise self.damaged("a compressed cluster lies outside of the file", at)
        return self.below.read(at, min(length, self.below.size - at))

    def _unpack(self, packed: bytes, at: int) -> bytes:
        """A cluster from its packed bytes: raw deflate with a window of 4 KiB, or zstd."""
        try:
            unpacked = (
                unzstd(packed, self.cluster) if self.header.compression else inflate(packed, self.cluster, window=-15)
            )
        except (ValueError, EOFError) as error:
            raise self.damaged(f"a compressed cluster does not unpack: {error}", at) from None
        if len(unpacked) != self.cluster:
            raise self.damaged(f"a compressed cluster unpacks to {len(unpacked)} bytes of {self.cluster}", at)
        return unpacked


def unzstd(packed: bytes, size: int) -> bytes:
    """At most `size` bytes of a zstd stream, whose frames may be several; raises ValueError."""
    zstandard = zstd_library()

    try:
        if zstandard.frame_content_size(packed) == size:
            # As qemu writes it: one frame that says how much it holds is unpacked at once, several times faster.
            idle = _idle.pop() if _idle else zstandard.ZstdDecompressor()
            whole: bytes = idle.decompress(packed)
            _idle.append(idle)
            return whole
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
            first: bytes = reader.read(size)
            return first
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
