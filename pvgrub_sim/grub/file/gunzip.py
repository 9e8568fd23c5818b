"""GRUB's transparent gunzip (stage2/gunzip.c): what reading a gzip'd file goes through.

The bulk of the work is zlib's. Where zlib meets something that GRUB's own decoder might take another way, or
where a read fails underneath, the decoder of inflate.py takes over from the start of the data.
"""

from __future__ import annotations

from pvgrub_sim.cint import MAXINT
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.gunzip_stream import EXACT_LIMIT, WSIZE, GunzipMemory, Input, NotEqual, ZlibStream
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.grub.file.inflate import Inflater


class GunzipFile:
    """An open file that is being gunzipped.

    offset: where the deflated data begins, in bytes. packed_max: the compressed file's size in bytes. The size of
    the unpacked file is the machine's filemax: GRUB swaps the two sets of variables.
    """

    def __init__(self, m: Machine, offset: int, packed_max: int) -> None:
        self.m = m
        self.offset = offset
        self.packed_max = packed_max
        self.memory = m.gunzip_memory = m.gunzip_memory or GunzipMemory()
        self._restart()

    def _restart(self) -> None:
        """initialize_tables()."""
        self.saved_filepos = 0
        self.before = self.memory.copy()
        self.input = Input(self.m, self.memory, self.offset)
        self.exact: Inflater | None = None
        self.fast = ZlibStream(self.input)

    @property
    def ended(self) -> bool:
        """True when the packed data has come to its end, so that what follows needs nothing from the disk."""
        return self.exact is None and self.fast.inflate.eof

    @property
    def exhausted(self) -> bool:
        """True when the file is as long as the packed data, or not all of that is wanted: nothing stands behind it."""
        return self.exact is None and not self.fast.bad and self.m.filemax <= self.fast.produced

    def read(self, length: int) -> bytes:
        """gunzip_read(): `length` unpacked bytes at the machine's filepos, which is moved on.

        Raises GrubError 3 for bad data, or what reading the compressed file met.
        """
        m = self.m
        filepos, filemax, fsmax = m.filepos, m.filemax, m.fsmax
        m.compressed_file = None
        m.filemax, m.fsmax = self.packed_max, MAXINT
        parts: list[bytes] = []
        try:
            if self.saved_filepos > filepos + WSIZE:
                self._restart()
            while length > 0 and not m.errnum:
                if filepos >= self.saved_filepos:
                    first = self.saved_filepos
                    data = self._unpack(filepos, length)
                    part = data[filepos - first : filepos - first + length]
                else:
                    at = filepos % WSIZE
                    part = bytes(self.memory.slide[at : min(at + length, WSIZE)])
                parts.append(part)
                filepos += len(part)
                length -= len(part)
        finally:
            m.filepos, m.filemax, m.fsmax = filepos, filemax, fsmax
            m.compressed_file = self
        if m.errnum:
            raise GrubError(m.errnum)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _unpack(self, filepos: int, length: int) -> bytes:
        """The windows from the next one on, as many as `length` bytes at `filepos` need."""
        size = (filepos + length - self.saved_filepos + WSIZE - 1) // WSIZE * WSIZE
        if self.exact is None:
            try:
                return self._windows_of(self.fast.produce(size), size)
            except NotEqual:
                self._take_over()
            except GrubError:
                if self.saved_filepos > EXACT_LIMIT:
                    # What GRUB unpacks from its old buffer before it looks at errnum hardly ever changes it.
                    raise
                self.m.errnum = ErrNum.NONE
                self._take_over()
        assert self.exact
        parts: list[bytes] = []
        for _ in range(size // WSIZE):
            if self.m.errnum:
                break
            self.exact.window()
            parts.append(bytes(self.memory.slide))
            self.saved_filepos += WSIZE
        return b"".join(parts)

    def _windows_of(self, data: bytes, size: int) -> bytes:
        """Keep the last window of what has been unpacked, and fill it up to `size` as GRUB does.

        QUIRK: behind the data's end every further window is what the last one left: old bytes, and no error.
        """
        slide = self.memory.slide
        full = len(data) // WSIZE * WSIZE
        if full:
            slide[:] = data[full - WSIZE : full]
        slide[: len(data) - full] = data[full:]
        self.saved_filepos += size
        if len(data) == size:
            return data
        if self.fast.bad:
            self.m.errnum = ErrNum.BAD_GZIP_DATA
            return data
        return data[:full] + bytes(slide) * ((size - full) // WSIZE)

    def _take_over(self) -> None:
        """Unpack with GRUB's own decoder from the start up to where zlib got."""
        from pvgrub_sim.grub.file.inflate import Inflater

        self.memory.restore(self.before)
        self.input = Input(self.m, self.memory, self.offset)
        self.exact = Inflater(self.m, self.input, self.memory.slide)
        for _ in range(self.saved_filepos // WSIZE):
            self.exact.window()
