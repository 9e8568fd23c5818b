"""ebs:snap-…: EBS snapshots by the EBS direct APIs (ListSnapshotBlocks, GetSnapshotBlock).

https://docs.aws.amazon.com/ebs/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import base64
import re
import time
from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from threading import Lock

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.sources.aws import LONGEST_PAGE, Again, call, client, code_of, short, whole
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

PAGE: Final = 1000
"""Blocks that are listed at once."""
MOST_PAGES: Final = 400
"""Pages of the list that are kept; the oldest go first, and are listed anew when they are wanted."""
AT_ONCE: Final = 16
"""Blocks that are fetched at the same time."""
MOST_EMPTY: Final = 100
"""Pages one after the other that may tell of no block, and one more for each thousand blocks of the volume."""
LONGEST_TOKEN: Final = 256
"""Characters of a token, as AWS documents it."""
MARGIN: Final = 60.0
"""Seconds before a token's end in which it is not used any more."""
_ID: Final = re.compile(r"ebs:(?://)?(snap-[0-9a-f]{8,17})")
_LARGEST_VOLUME: Final = 64 << 10
"""GiB, which is the largest volume of EBS."""


class _Page(NamedTuple):
    """A stretch of the list: what is not in `tokens` is all zeros.

    begin, end: the blocks that it tells of. tokens: by block. expires: until when they are good (time.time()).
    """

    begin: int
    end: int
    tokens: dict[int, str]
    expires: float


def open_ebs(name: str, context: Context) -> Disk:
    """The bytes of a snapshot; blocks that it does not have are zeros.

    Raises UsageError for what is no `ebs:snap-…`, ImageError in one line when it cannot be read.
    """
    match = _ID.fullmatch(name)
    if match is None:
        raise UsageError(f"{name}: not of the form ebs:snap-0123456789abcdef0")
    with ExitStack() as stack:
        ebs = client(name, "ebs", context, LONGEST_PAGE)
        stack.callback(ebs.close)
        disk = open_snapshot(name, match[1], ebs, context)
        stack.pop_all()
    return disk


def open_snapshot(name: str, snapshot: str, ebs: Any, context: Context, about: str = "") -> Disk:
    """The bytes of a snapshot, as open_ebs() has them, by a client that may be had in common with others.

    name: of what it is a part, for messages. about: which part that is; it stands before what is wrong.
    """
    source = _Snapshot(name, ebs, snapshot, about)
    cache = None
    if context.access.cache is not None:
        from pvgrub_sim.media.sources.block_cache import BlockCache

        cache = BlockCache(context.access.cache, ("ebs", source.region, snapshot, source.size, source.block))
    # Plans tell disks apart by their names.
    called = f"ebs:{snapshot}" if about else name
    layer = Layer("ebs", called, source.size, f"blocks of {source.block}")
    return BlockDisk(called, source.size, source.block, source.fetch, (layer,), cache=cache, closing=source.close)


class _Snapshot:
    """The blocks of a snapshot, with their tokens as far as they were listed."""

    def __init__(self, name: str, ebs: Any, snapshot: str, about: str) -> None:
        self.name = name
        self._about = about
        self.region = ebs.meta.region_name
        self._ebs = ebs
        self._snapshot = snapshot
        self._pages: list[_Page] = []
        self._pool: ThreadPoolExecutor | None = None
        self._renewing = Lock()
        self.block = self.size = 0
        self._list(0)
        self._zeros = bytes(self.block)

    def fetch(self, first: int, count: int) -> Sequence[bytes]:
        """Blocks, those that are there at the same time."""
        wanted = [(number, token) for number in range(first, first + count) if (token := self._token(number))]
        if len(wanted) > 1:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(AT_ONCE, "ebs")
            found = list(self._pool.map(self._get, wanted))
        else:
            found = [self._get(one) for one in wanted]
        blocks = dict(zip((number for number, _ in wanted), found, strict=True))
        return [blocks.get(number, self._zeros) for number in range(first, first + count)]

    def close(self) -> None:
        """Let go of the connections."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._ebs.close()

    def _get(self, wanted: tuple[int, str]) -> bytes:
        number, token = wanted

        def ask() -> bytes:
            nonlocal token
            try:
                answer = self._ebs.get_snapshot_block(SnapshotId=self._snapshot, BlockIndex=number, BlockToken=token)
            except Exception as error:  # botocore makes its errors at run time
                if code_of(error) != "ValidationException" or (renewed := self._renewed(number, token)) == token:
                    raise
                # Tokens expire before the time that is told, when keys change.
                token = renewed
                raise Again("AWS answers ValidationException") from None
            data = whole(answer["BlockData"], self.block)
            told = answer.get("DataLength", self.block)
            if len(data) != self.block:
                raise Again(f"a block of {len(data)} bytes instead of {self.block}")
            if told != self.block:
                raise Again(f"a block that is told to have {short(told)} bytes instead of {self.block}")
            if answer.get("ChecksumAlgorithm") != "SHA256":
                raise self._error("a block whose checksum is not SHA256", number * self.block)
            if base64.b64encode(sha256(data).digest()).decode() != answer.get("Checksum"):
                raise Again("a block that does not have its checksum")
            return data

        return call(self.name, ask, number * self.block, self._about)

    def _error(self, reason: str, offset: int | None = None) -> ImageError:
        return ImageError(self.name, f"{self._about}{reason}", offset)

    def _token(self, number: int) -> str | None:
        """A block's token, None when the snapshot has no such block."""
        index = bisect_right(self._pages, number, key=lambda page: page.begin) - 1
        if index >= 0:
            page = self._pages[index]
            if number < page.end and time.time() < page.expires - MARGIN:
                return page.tokens.get(number)
        return self._list(number).tokens.get(number)

    def _renewed(self, number: int, old: str) -> str:
        """A new token in the place of one that is refused; the old one when the list has no other."""
        with self._renewing:
            index = bisect_right(self._pages, number, key=lambda page: page.begin) - 1
            known = self._pages[index].tokens.get(number, old) if index >= 0 else old
            return known if known != old else self._list(number).tokens.get(number, old)

    def _list(self, first: int) -> _Page:
        """List blocks from one on, and remember what was told."""
        more: dict[str, Any] = {"StartingBlockIndex": first} if first else {}
        seen: set[str] = set()
        # A page may be empty and yet not the last one.
        while True:
            answer = call(self.name, lambda: self._page(more), about=self._about)
            self._measure(answer)
            blocks = -(-self.size // self.block)
            tokens, whole_page = self._tokens(answer, first)
            following = answer.get("NextToken")
            if tokens or following is None or following == "":
                break
            if not isinstance(following, str) or len(following) > LONGEST_TOKEN:
                raise self._error("AWS lists a page whose following one has no token that makes sense")
            if following in seen:
                raise self._error("AWS lists the same page of its blocks again and again")
            seen.add(following)
            if len(seen) > MOST_EMPTY + blocks // PAGE:
                raise self._error(f"AWS lists {len(seen)} pages without a block, and no end")
            more["NextToken"] = following
        end = max(tokens, default=first) + 1 if following or not whole_page else blocks
        page = _Page(first, max(end, first + 1), tokens, max(_expiry(answer), time.time() + MARGIN + 1))
        self._remember(page)
        return page

    def _page(self, more: dict[str, Any]) -> dict[str, Any]:
        answer = self._ebs.list_snapshot_blocks(SnapshotId=self._snapshot, MaxResults=PAGE, **more)
        if not isinstance(answer, dict):
            raise TypeError
        return answer

    def _tokens(self, answer: dict[str, Any], first: int) -> tuple[dict[int, str], bool]:
        """The tokens of a page by block, and whether these are all; what is more than was asked for is left out."""
        tokens: dict[int, str] = {}
        last = first - 1
        entries = answer.get("Blocks") or []
        if not first and "Blocks" not in answer and not answer.get("NextToken"):
            # Of an empty snapshot AWS gives an empty list; without any this would pass for one.
            raise self._error("AWS gives no list of blocks")
        for entry in entries[:PAGE]:
            number, token = (entry.get("BlockIndex"), entry.get("BlockToken")) if isinstance(entry, dict) else (0, 0)
            if not isinstance(number, int) or not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN:
                raise self._error("AWS lists a block without its number, or without a token that makes sense")
            if not last < number or number * self.block >= self.size:
                raise self._error("AWS lists its blocks out of order, or blocks that there are not")
            tokens[number] = token
            last = number
        return tokens, len(entries) <= PAGE

    def _remember(self, page: _Page) -> None:
        kept = [old for old in self._pages if old.end <= page.begin or old.begin >= page.end]
        cut = [old._replace(end=page.begin) for old in self._pages if old.begin < page.begin < old.end]
        self._pages = sorted([*kept[-MOST_PAGES:], *cut, page], key=lambda one: one.begin)

    def _measure(self, answer: dict[str, Any]) -> None:
        """Take the sizes from an answer; they must stay what they are."""
        block, size = answer.get("BlockSize"), answer.get("VolumeSize")
        if not isinstance(block, int) or not isinstance(size, int):
            raise self._error("AWS does not tell how large its volume and its blocks are")
        if not self.size and 512 <= block <= 16 << 20 and block % 512 == 0 and 0 < size <= _LARGEST_VOLUME:
            self.block, self.size = block, size << 30
        if not self.size or (block, size << 30) != (self.block, self.size):
            told = f"{short(size, 30)} GiB in blocks of {short(block, 30)} bytes"
            raise self._error(f"AWS tells sizes that make no sense ({told})")


def _expiry(answer: dict[str, Any]) -> float:
    """Until when the tokens of an answer are good; an hour where it does not say so."""
    try:
        return float(answer["ExpiryTime"].timestamp())
    except (AttributeError, KeyError, OSError, OverflowError, ValueError):
        return time.time() + 3600
