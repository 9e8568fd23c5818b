"""An entry's commands while they are edited, in memory as GRUB keeps them (stage2/stage2.c:run_menu, get_entry)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pvgrub_sim.grub.console.box import BOX_SIZE


class EditBuffer:
    """Strings that end in NUL, one behind another, with one more NUL behind the last.

    QUIRK: the number of lines is counted apart from what is there, and what lies behind the end is never wiped. When
    the last line is removed and an empty list edited, no NUL ends the list any more, and old text shows again.
    """

    def __init__(self, lines: Iterable[bytes], memory: bytearray) -> None:
        """lines: at least one, none of them empty; memory: the heap, which keeps what was there before."""
        texts = [line + b"\0" for line in lines]
        content = b"".join(texts) + b"\0"
        memory[: len(content)] = content
        self._memory = memory
        self._heap = len(content)
        self._count = len(texts)

    def __len__(self) -> int:
        return self._count

    def _end(self, at: int) -> int:
        """Index of the NUL that ends a string; behind the memory that was ever used there are only NULs."""
        found = self._memory.find(0, at)
        return found if found >= 0 else max(len(self._memory), at)

    def _at(self, number: int) -> int:
        """Where a line begins; below 0 it is the first one."""
        at = 0
        for _ in range(number):
            at = self._end(at) + 1
        return at

    def _put(self, at: int, data: bytes) -> None:
        self._memory.extend(bytes(max(at - len(self._memory), 0)))
        self._memory[at : at + len(data)] = data

    def text(self, number: int) -> bytes:
        """A line."""
        at = self._at(number)
        return bytes(self._memory[at : self._end(at)])

    def titles(self, first: int) -> list[bytes]:
        """The lines from number `first` on that the box may show; an empty one is not stepped over."""
        at = self._at(first)
        found: list[bytes] = []
        while len(found) <= BOX_SIZE and (text := bytes(self._memory[at : self._end(at)])):
            found.append(text)
            at += len(text) + 1
        return found

    def insert(self, number: int) -> None:
        """Open a line in front of another one: it holds a blank."""
        at = self._at(number)
        self._put(at, b" \0" + self._memory[at : self._heap])
        self._heap += 2
        self._count += 1

    def remove(self, number: int) -> None:
        """Remove a line."""
        at, behind = self._at(number), self._at(number + 1)
        self._put(at, bytes(self._memory[behind : self._heap]))
        self._heap -= behind - at
        self._count -= 1

    def replace(self, number: int, text: bytes) -> None:
        """Put another text in a line's place."""
        at = self._at(number)
        behind = self._end(at) + 1
        self._put(at, text + b"\0" + self._memory[behind : self._heap])
        self._heap += at + len(text) + 1 - behind

    def use_heap(self, line: bytes) -> None:
        """A command line is kept behind the list while it runs."""
        self._put(self._heap, line + b"\0")

    def commands(self) -> Iterator[bytes]:
        """The lines as run_script() reads them, which keeps each behind the list while it runs."""
        at = 0
        while line := bytes(self._memory[at : self._end(at)]):
            self.use_heap(line)
            yield line
            at += len(line) + 1
