"""An initrd looked through as the kernel unpacks it (Linux, init/initramfs.c:unpack_to_rootfs)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvgrub_sim.initramfs.contents import Contents, Gathered, Segment
from pvgrub_sim.initramfs.decoders import Decoder, decoder_of
from pvgrub_sim.initramfs.feed import Broken, Feed, NotLookedAt
from pvgrub_sim.ondisk import cpio
from pvgrub_sim.typed import Final, NoReturn

MOST_UNPACKED: Final = 1 << 30
"""Bytes that are unpacked of one initrd: four times what the domain of a t1.micro has left for it."""
MOST_ENTRIES: Final = 1_000_000
MOST_SEGMENTS: Final = 256
_HEAD: Final = 16
_ZERO: Final = ord("0")


def look(pieces: Iterator[bytes], passed: Callable[[int], None] = lambda size: None) -> Contents:
    """What an initrd holds; damage and what would take too much are part of the answer, nothing is raised.

    pieces: its bytes, in pieces of at most 1 MiB. passed: is told of bytes that were unpacked, and may raise to end it.
    """
    return _Look(Feed(pieces), passed).contents()


class _NoInitramfs(Exception):
    """It does not begin as an initramfs does."""


class _Look:
    def __init__(self, feed: Feed, passed: Callable[[int], None]) -> None:
        self.feed = feed
        self.found = Gathered()
        self._passed = passed
        self._unpacked = 0

    def contents(self) -> Contents:
        try:
            self._segments()
        except _NoInitramfs:
            return Contents(known=False)
        except Broken as error:
            return self.found.contents(trouble=str(error), at=self.feed.at)
        except NotLookedAt as error:
            return self.found.contents(beyond=str(error), at=self.feed.at)
        if not self.found.segments:
            return self.found.contents(trouble="it holds nothing but zeros" if self.feed.at else "it is empty")
        return self.found.contents()

    def _segments(self) -> None:
        while self.feed.skip_zeros() >= 0:
            start = self.feed.at
            head = self.feed.peek(_HEAD)
            if len(self.found.segments) >= MOST_SEGMENTS:
                raise NotLookedAt(f"it has more than {MOST_SEGMENTS} stretches")
            if head[0] == _ZERO and start % 4 == 0:
                self._entries(self.feed)
                self.found.segments.append(Segment(start, "none", self.feed.at - start))
                continue
            form = decoder_of(head)
            if form is None:
                if not self.found.segments:
                    raise _NoInitramfs
                raise Broken("something else than an archive follows in it")
            self._compressed(start, *form)

    def _compressed(self, start: int, name: str, decoder: Decoder) -> None:
        before = self._unpacked
        inside = Feed(self._counted(decoder(self.feed)))
        first = not self.found.segments
        # Noted before it is read: what the kernel has to know is known however it ends.
        self.found.segments.append(Segment(start, name, 0))
        if first and inside.peek(len(cpio.OLD_MAGIC))[:4] != cpio.OLD_MAGIC[:4]:
            # The image of an old RAM disk, which is a filesystem.
            raise _NoInitramfs
        self._entries(inside)
        if inside.skip_zeros() >= 0:
            raise Broken(f"something else than an archive is in its {name} data")
        self.found.segments[-1] = Segment(start, name, self._unpacked - before)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._unpacked += len(piece)
            self._passed(len(piece))
            if self._unpacked > MOST_UNPACKED:
                raise NotLookedAt(f"it unpacks to more than {MOST_UNPACKED >> 20} MiB")
            yield piece

    def _entries(self, feed: Feed) -> None:
        """Archives one behind the other, with or without zeros between them; ends where something else begins."""
        while feed.skip_zeros() == _ZERO:
            self._entry(feed)

    def _entry(self, feed: Feed) -> None:
        """One entry; that of the name TRAILER!!! is like any other, for more may follow."""
        found = self.found
        header = feed.take(cpio.HEADER_SIZE)
        if len(header) < cpio.HEADER_SIZE:
            raise Broken("it ends in the middle of an archive")
        if header[:6] not in cpio.MAGICS:
            if header.startswith(cpio.OLD_MAGIC):
                raise Broken("its archive is of cpio's old format (cpio -H newc makes the one that Linux takes)")
            self._no_entry()
        fields = [header[field] for field in (cpio.MODE, cpio.FILE_SIZE, cpio.NAME_SIZE)]
        if not all(field.isalnum() for field in fields) and self._is_first():
            raise _NoInitramfs
        if found.entries >= MOST_ENTRIES:
            raise NotLookedAt(f"it has more than {MOST_ENTRIES:,} entries")
        mode, size, length = map(cpio.number, fields)
        # Header and name end at a multiple of four together, as the content does.
        spans = (length + 1 & ~3) + 2
        if not 0 < length <= cpio.LONGEST_NAME:
            # The kernel passes over an entry without a name.
            found.entries += 1
            spans += size + (-size % 4)
            if feed.skip(spans) < spans:
                raise Broken("it ends in the middle of an archive")
            return
        name = feed.take(spans)[: length - 1]
        if len(name) < length - 1:
            raise Broken("it ends in the middle of an archive")
        padding = -size % 4
        regular = mode & cpio.TYPE_MASK == cpio.REGULAR
        if name != cpio.TRAILER and found.see(name) and regular and found.has_room_for(size):
            content = feed.take(size)
            found.take_list(name, content)
            size -= len(content)
        if feed.skip(size) < size:
            raise Broken("it ends in the middle of an archive")
        feed.skip(padding)

    def _is_first(self) -> bool:
        """True before the first entry of all."""
        return not self.found.entries and not any(segment.unpacked for segment in self.found.segments)

    def _no_entry(self) -> NoReturn:
        if self._is_first():
            raise _NoInitramfs
        raise Broken("an entry of its archive is damaged")
