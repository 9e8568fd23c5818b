"""A filesystem as it will be: planned files, folders and links over what a reader finds there."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.survey.tree import MOST_LINKS, Node, NodeType, Reader, Run, find, target

ROOT = -(1 << 60)
"""Number of the root of a filesystem that does not exist yet; planned nodes have numbers below, which no reader has."""


class PlannedReader:
    """A reader that finds planned files as if they were there; nothing is written.

    base: the reader of what is there, None for a filesystem that does not exist yet. area: where it lies, or will.
    """

    def __init__(self, base: Reader | None, area: Area) -> None:
        self.base = base
        self.area = area
        self.folds = base.folds if base else False
        self._nodes: dict[int, tuple[Node, bytes]] = {}
        self._names: dict[int, dict[bytes, int | None]] = {}
        """Folder by its number: names there that are planned, None for one that goes."""
        if base is None:
            self._nodes[ROOT] = Node(ROOT, NodeType.DIRECTORY, 0), b""

    # --- what is planned

    def add_file(self, path: bytes, data: bytes) -> None:
        """Plan a file, and the folders above it; raises Damaged where one of these is none."""
        self._add(path, NodeType.FILE, data)

    def add_link(self, path: bytes, target: bytes) -> None:
        """Plan a symbolic link, and the folders above it."""
        self._add(path, NodeType.LINK, target)

    def remove(self, path: bytes) -> None:
        """Plan that a name goes."""
        folder, _, name = path.rpartition(b"/")
        parent = find(self, folder or b"/")
        if parent is not None:
            self._plan_name(parent, name, None)

    def planned_file(self, path: bytes) -> bytes | None:
        """The content of a planned file by its path without links, None for any other."""
        node = find(self, path)
        return self._nodes[node.number][1] if node and node.number < ROOT and node.type is NodeType.FILE else None

    def passes_planned_link(self, path: bytes, links: int = MOST_LINKS) -> bool:
        """True when a link that is planned is on the way of a path, or at its end; raises Damaged."""
        if not links or not any(node.type is NodeType.LINK for node, _ in self._nodes.values()):
            return False
        parts = [part for part in path.split(b"/") if part]
        for count in range(1, len(parts) + 1):
            node = find(self, b"/" + b"/".join(parts[:count]), follow=False)
            if node is not None and node.type is NodeType.LINK:
                if node.number in self._nodes:
                    return True
                where = target(self, node)
                base = b"" if where[:1] == b"/" else b"/" + b"/".join(parts[: count - 1]) + b"/"
                return self.passes_planned_link(base + where + b"/" + b"/".join(parts[count:]), links - 1)
        return False

    def _add(self, path: bytes, kind: NodeType, data: bytes) -> None:
        parts = [part for part in path.split(b"/") if part]
        if not parts:
            raise Damaged("a planned file has no name")
        *folders, name = parts
        at = b""
        parent = self.root()
        for folder in folders:
            at += b"/" + folder
            found = find(self, at)
            if found is None:
                found = self._make(NodeType.DIRECTORY, b"")
                self._plan_name(parent, folder, found.number)
            elif found.type is not NodeType.DIRECTORY:
                raise Damaged("a planned file lies below what is no folder")
            parent = found
        self._plan_name(parent, name, self._make(kind, data).number)

    def _make(self, kind: NodeType, data: bytes) -> Node:
        number = ROOT - 1 - len(self._nodes)
        node = Node(number, kind, len(data))
        self._nodes[number] = node, data
        return node

    def _plan_name(self, folder: Node, name: bytes, number: int | None) -> None:
        planned = self._names.setdefault(folder.number, {})
        if self.folds:
            for other in [other for other in planned if other.lower() == name.lower()]:
                del planned[other]
        planned[name] = number

    # --- as a reader

    def root(self) -> Node:
        """The root directory."""
        return self._nodes[ROOT][0] if self.base is None else self.base.root()

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory, those that go left out."""
        planned = self._names.get(node.number, {})
        hidden = {name.lower() for name in planned} if self.folds else set(planned)
        if node.number not in self._nodes and self.base is not None:
            for name, number in self.base.names(node):
                if (name.lower() if self.folds else name) not in hidden:
                    yield name, number
        for name, planned_number in planned.items():
            if planned_number is not None:
                yield name, planned_number

    def node(self, number: int) -> Node:
        """What a number stands for."""
        if number in self._nodes:
            return self._nodes[number][0]
        if self.base is None:
            raise Damaged(f"no node {number}")
        return self.base.node(number)

    def inline(self, node: Node) -> bytes | None:
        """Content that is planned, or that lies in the record itself."""
        if node.number in self._nodes:
            return self._nodes[node.number][1]
        return None if self.base is None else self.base.inline(node)

    def runs(self, node: Node) -> Iterator[Run]:
        """Where the content lies that is there."""
        return iter(()) if self.base is None else self.base.runs(node)
