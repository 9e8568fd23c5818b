"""Reading files: what every honest reader offers, and what can be done with any of them."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.typed import Final, Protocol
from pvgrub_sim.values import Enum, NamedTuple

MOST_LINKS: Final = 40
"""Symbolic links that one path may pass, as in Linux."""
CHUNK: Final = 1 << 20
LONGEST_TARGET: Final = 4096
MOST_RUNS: Final = 300_000
"""Stretches of one file, after which its map is taken to go round in circles."""
NAMES_COUNTED: Final = 256
"""Names, or stretches of files, after which the budget is told of them."""
MOST_NAMES: Final = 1_000_000
"""Entries of one directory, after which it is taken to be damaged."""


class NodeType(Enum):
    """What a name leads to."""

    FILE = "-"
    DIRECTORY = "d"
    LINK = "l"
    OTHER = "?"


class Node(NamedTuple):
    """A file, directory or link: its number in the filesystem, type, size in bytes, and the reader's own record."""

    number: int
    type: NodeType
    size: int
    record: bytes = b""


class Run(NamedTuple):
    """A stretch of a file: byte offset in the file, length in bytes, and byte offset in the area.

    place is None where the file has no block; unwritten: there is one, but it reads as zeros.
    """

    offset: int
    length: int
    place: int | None
    unwritten: bool = False


class Reader(Protocol):
    """An honest reader of one filesystem; all of it raises Damaged where the filesystem is not sound."""

    area: Area
    folds: bool
    """Names are found whatever their case, as Linux does on FAT."""

    def root(self) -> Node:
        """The root directory."""

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory with the numbers that node() takes, without `.` and `..`."""

    def node(self, number: int) -> Node:
        """What a number stands for."""

    def inline(self, node: Node) -> bytes | None:
        """Content that lies in the record itself; None when it lies in runs."""

    def runs(self, node: Node) -> Iterator[Run]:
        """Where the content lies: in ascending order, without gaps, up to the file's size."""


def fill(found: Iterator[tuple[int, int, int, bool]], size: int, block_size: int, limit: int) -> Iterator[Run]:
    """Runs of blocks as runs of bytes, with holes between them and cut at the file's size.

    found: (first block, blocks, block on disk, unwritten) in ascending order. size: of the file, in bytes.
    limit: of the filesystem. Raises Damaged for what goes back, or has more blocks than there are.
    """
    at = stored = 0
    for count, (first, blocks, place, unwritten) in enumerate(found):
        begin = first * block_size
        if begin < at:
            raise Damaged("a file's extents overlap or are out of order")
        if begin >= size:
            # Blocks behind the end, set aside by fallocate(2).
            break
        if begin > at:
            yield Run(at, begin - at, None)
        length = min(blocks * block_size, size - begin)
        stored += length
        if stored > limit or count > MOST_RUNS:
            raise Damaged("a file of more blocks than the filesystem has")
        if length:
            yield Run(begin, length, place * block_size, unwritten)
        at = begin + length
    if at < size:
        yield Run(at, size - at, None)


def runs_of(reader: Reader, node: Node) -> Iterator[Run]:
    """Where the content of a file lies, as Reader.runs(), but not for ever; raises Damaged."""
    for count, run in enumerate(reader.runs(node)):
        if not count % NAMES_COUNTED:
            reader.area.budget.pass_runs(NAMES_COUNTED if count else 1)
        yield run


def once(seen: set[int], block: int) -> None:
    """Note a block of a file's map; raises Damaged when it was there before."""
    if block in seen:
        raise Damaged(f"block {block} is used twice in the map of one file")
    seen.add(block)


def content(reader: Reader, node: Node, start: int = 0) -> Iterator[bytes]:
    """The bytes of a file from byte `start` on, in pieces of at most 1 MiB; raises Damaged."""
    stored = reader.inline(node)
    if stored is not None:
        yield stored[start : node.size]
        return
    if node.size > max(reader.area.known, 1 << 30) and node.size > reader.area.disk.size:
        raise Damaged(f"a file of {node.size} bytes on a disk of {reader.area.disk.size}")
    for run in reader.runs(node):
        done = max(0, start - run.offset)
        while done < run.length:
            take = min(CHUNK, run.length - done)
            if run.place is None or run.unwritten:
                yield bytes(take)
            else:
                yield reader.area.read_data(run.place + done, take)
            done += take


def head(reader: Reader, node: Node, length: int, start: int = 0) -> bytes:
    """Up to `length` bytes of a file from byte `start` on; fewer where it ends. Raises Damaged."""
    parts = []
    left = length
    for piece in content(reader, node, start):
        parts.append(piece[:left])
        left -= len(parts[-1])
        if left <= 0:
            break
    return b"".join(parts)


def target(reader: Reader, node: Node) -> bytes:
    """Where a symbolic link leads; raises Damaged."""
    if not 0 < node.size <= LONGEST_TARGET:
        raise Damaged(f"a symbolic link of {node.size} bytes")
    return head(reader, node, node.size)


def names_of(reader: Reader, node: Node) -> Iterator[tuple[bytes, int]]:
    """The names in a directory, as Reader.names(), but not for ever; raises Damaged."""
    if node.type is not NodeType.DIRECTORY:
        raise Damaged("not a directory")
    for count, entry in enumerate(reader.names(node)):
        if not count % NAMES_COUNTED:
            reader.area.budget.pass_names(NAMES_COUNTED if count else 1)
        if count >= MOST_NAMES:
            raise Damaged(f"a directory of more than {MOST_NAMES} entries")
        yield entry


def child(reader: Reader, node: Node, name: bytes) -> Node | None:
    """The entry of a directory by its name, None when there is none; raises Damaged."""
    wanted = name.lower() if reader.folds else name
    for entry, number in names_of(reader, node):
        if (entry.lower() if reader.folds else entry) == wanted:
            return reader.node(number)
    return None


class Way:
    """The way along absolute paths, component by component, through links.

    names: of the directories and the file it has come through, links resolved. links: those that it passed, each with
    its own path and its target. node: where it has come to, None once a name was not there; what follows such a name
    is only told, by `names`.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.names: list[bytes] = []
        self.links: list[tuple[bytes, bytes]] = []
        self._nodes = [reader.root()]
        self._lost = False

    @property
    def node(self) -> Node | None:
        """Where it has come to."""
        return None if self._lost else self._nodes[-1]

    def go(self, path: bytes, follow: bool = True) -> None:
        """Go on along a path; follow: through a link as its last component as well. Raises Damaged."""
        todo = path.split(b"/")[::-1]
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                del self.names[-1:], self._nodes[max(1, len(self._nodes) - 1) :]
                continue
            node = self._child(name)
            last = not any(part not in (b"", b".") for part in todo)
            if node is not None and node.type is NodeType.LINK and (follow or not last):
                if len(self.links) < MOST_LINKS:
                    todo += self._through(node, name)
                    continue
                node = None
            self.names.append(name)
            if node is None:
                self._lost = True
            else:
                self._nodes.append(node)

    def _through(self, link: Node, name: bytes) -> list[bytes]:
        """The components that a link stands for, the last one first."""
        where = target(self.reader, link)
        self.links.append((b"/" + b"/".join([*self.names, name]), where))
        if where[:1] == b"/":
            del self.names[:], self._nodes[1:]
        return where.split(b"/")[::-1]

    def _child(self, name: bytes) -> Node | None:
        if self._lost or self._nodes[-1].type is not NodeType.DIRECTORY:
            return None
        return child(self.reader, self._nodes[-1], name)


def find(reader: Reader, path: bytes, follow: bool = True) -> Node | None:
    """What an absolute path leads to, through links; None when it leads nowhere.

    follow: a link as the last component is followed as well. Raises Damaged.
    """
    way = Way(reader)
    way.go(path, follow)
    return way.node
