"""ISO 9660 with Rock Ridge names and links (ECMA-119; IEEE P1282; System Use Sharing Protocol 1.12)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.survey.tree import Node, NodeType, Run
from pvgrub_sim.typed import Final

SECTOR: Final = 2048
DESCRIPTORS: Final = 16
MOST_CONTINUATIONS: Final = 16
LONGEST_DIRECTORY: Final = 32 << 20


class IsoReader:
    """An honest reader of one ISO 9660 filesystem.

    area: where it lies. descriptor: its primary volume descriptor (2048 bytes). Nodes are numbered by the byte
    offset of their directory record; the root by that of the record in the descriptor.
    """

    def __init__(self, area: Area, descriptor: bytes) -> None:
        self.area = area
        self.block = int.from_bytes(descriptor[128:130], "little")
        if self.block not in (512, 1024, 2048):
            raise Damaged(f"a block size of {self.block} bytes")
        self._root = DESCRIPTORS * SECTOR + 156
        self.skip = 0
        self.rock_ridge = False
        self._detect()
        self.folds = not self.rock_ridge

    def _detect(self) -> None:
        """Rock Ridge is announced by an SP entry in the root directory's first record."""
        first = self.area.read(self._place(self.area.read(self._root, 34)), 255)
        use = first[34 : first[0]]
        if use[:2] == b"SP" and use[4:6] == b"\xbe\xef":
            self.skip = use[6]
            self.rock_ridge = True
        else:
            self.rock_ridge = any(signature in use for signature in (b"RR\x05", b"PX"))

    def _place(self, record: bytes) -> int:
        return (int.from_bytes(record[2:6], "little") + record[1]) * self.block

    def root(self) -> Node:
        """The root directory."""
        return self.node(self._root)

    def node(self, number: int) -> Node:
        """The node whose directory record is at that byte offset."""
        return self._node(number, moved=False)

    def _node(self, number: int, *, moved: bool) -> Node:
        """As node(); moved: a link to the record led here, and no other is followed."""
        length = self.area.read(number, 1)[0]
        if length < 34:
            raise Damaged(f"a directory record of {length} bytes")
        raw = self.area.read(number, length)
        size = int.from_bytes(raw[10:14], "little")
        if self.rock_ridge and number != self._root:
            fields = dict(self._fields(raw))
            mode = int.from_bytes(fields.get("PX", b"")[:2], "little") >> 12
            if "CL" in fields:
                if moved:
                    raise Damaged("a directory that was moved more than once")
                # A directory that was moved to keep the tree flat: its real record is the first of its own blocks.
                return self._node(int.from_bytes(fields["CL"][:4], "little") * self.block, moved=True)
            if mode == 0xA:
                return Node(number, NodeType.LINK, len(self._link(raw)), raw)
        return Node(number, NodeType.DIRECTORY if raw[25] & 2 else NodeType.FILE, size, raw)

    def inline(self, node: Node) -> bytes | None:
        """A symbolic link's target."""
        return self._link(node.record) if node.type is NodeType.LINK else None

    def runs(self, node: Node) -> Iterator[Run]:
        """Where a file's bytes lie: in one piece."""
        if node.size:
            yield Run(0, node.size, self._place(node.record))

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory: Rock Ridge's where there are any, else lower-cased and without version."""
        place = self._place(node.record)
        if node.size > LONGEST_DIRECTORY:
            raise self.area.budget.give_up("a larger directory")
        for begin in range(0, node.size, SECTOR):
            block = self.area.read(place + begin, min(SECTOR, node.size - begin))
            at = 0
            while at + 33 < len(block) and block[at]:
                raw = block[at : at + block[at]]
                if len(raw) < 34:
                    raise Damaged(f"a directory record of {len(raw)} bytes")
                identifier = raw[33 : 33 + raw[32]]
                if identifier not in (b"\0", b"\x01"):
                    name = self._name(raw, identifier)
                    if name:
                        yield name, place + begin + at
                at += block[at]

    def _name(self, raw: bytes, identifier: bytes) -> bytes:
        if self.rock_ridge:
            fields = list(self._fields(raw))
            if any(signature == "RE" for signature, _ in fields):
                return b""
            name = b"".join(body[1:] for signature, body in fields if signature == "NM")
            if name:
                return name
        return identifier.split(b";", 1)[0].rstrip(b".").lower()

    def _fields(self, raw: bytes) -> Iterator[tuple[str, bytes]]:
        """The system use fields of a record, continuations included: signature and data."""
        use = raw[33 + raw[32] + (~raw[32] & 1) :][self.skip :]
        for _ in range(MOST_CONTINUATIONS):
            following = None
            at = 0
            while at + 4 <= len(use) and use[at + 2] >= 4:
                body = use[at + 4 : at + use[at + 2]]
                signature = use[at : at + 2].decode("latin-1")
                if signature == "ST":
                    break
                if signature == "CE" and len(body) >= 24:
                    following = tuple(int.from_bytes(body[where : where + 4], "little") for where in (0, 8, 16))
                else:
                    yield signature, body
                at += use[at + 2]
            if following is None:
                return
            block, offset, length = following
            use = self.area.read(block * self.block + offset, min(length, SECTOR))
        raise Damaged("system use fields are continued without end")

    def _link(self, raw: bytes) -> bytes:
        """The target of a symbolic link, from its SL fields."""
        parts: list[bytes] = []
        joined = False
        for signature, body in self._fields(raw):
            if signature != "SL":
                continue
            at = 1
            while at + 2 <= len(body):
                flags, length = body[at], body[at + 1]
                special = {0x2: b".", 0x4: b"..", 0x8: b""}.get(flags & 0xE)
                piece = body[at + 2 : at + 2 + length] if special is None else special
                if joined:
                    parts[-1] += piece
                else:
                    parts.append(piece)
                joined = bool(flags & 1)
                at += 2 + length
        return b"/".join(parts) if parts != [b""] else b"/"
