"""The ReiserFS journal as PV-GRUB replays it, in memory (stage2/fsys_reiserfs.c:journal_init, block_read)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.ondisk import reiserfs
from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple

TRANSACTIONS_MASK = 0xFFFF


class Transaction(NamedTuple):
    """description: where it begins, in blocks of the journal. blocks: the numbers of the blocks it changed."""

    description: int
    blocks: tuple[int, ...]


class Journal:
    """Which blocks have a newer version in the journal.

    start, count: the journal's first block and its blocks, the header behind them not counted.
    shift: 512 << shift is the filesystem's block size in bytes.
    """

    def __init__(self, m: Machine, start: int, count: int, shift: int) -> None:
        self.m = m
        self.start = start
        self.count = count
        self.shift = shift
        self.moved: dict[int, int] = {}
        """Where the newest version of a block is, by block number."""

    def replay(self) -> None:
        """Find the valid transactions; a failing read ends the search and leaves errnum set."""
        # QUIRK: a journal whose size is not a power of two is not replayed at all.
        if self.count & (self.count - 1):
            return
        found: list[Transaction] = []
        with suppress(GrubError):
            found.extend(self._transactions())
        # QUIRK: the number of transactions is kept in 16 bits.
        for transaction in found[: len(found) & TRANSACTIONS_MASK]:
            # Within a transaction the first of equal numbers counts, among transactions the last.
            for index in range(len(transaction.blocks) - 1, -1, -1):
                place = (transaction.description + index + 1) & (self.count - 1)
                self.moved[transaction.blocks[index]] = u32(self.start + place)

    def translate(self, block: int) -> int:
        """Where to read a block instead, or the block itself."""
        block = u32(block)
        return self.moved.get(block, block)

    def _read(self, block: int, size: int) -> bytes:
        return devread(self.m, u32((self.start + block) << self.shift), 0, size)

    def _transactions(self) -> Iterator[Transaction]:
        header = self._read(self.count, reiserfs.JOURNAL_HEADER.size)
        last_flushed, at, mount_id = reiserfs.JOURNAL_HEADER.unpack(header)
        if at >= self.count:
            return
        expected = u32(last_flushed + 1)
        mask = self.count - 1
        while True:
            # QUIRK: description blocks have 4096 bytes here, so journals of other block sizes look empty.
            desc = self._read(at, reiserfs.JOURNAL_BLOCK_SIZE)
            trans_id, length, trans_mount_id, *rest = reiserfs.JOURNAL_DESC.unpack(desc)
            # QUIRK: the number must be the one behind the header's last, though Linux begins with 10 after mkfs
            # has written 0; and the mount id must be the header's, which Linux writes at a flush only. So what a
            # mount leaves before its first flush does not count.
            if (
                not rest[-1].startswith(reiserfs.JOURNAL_DESC_MAGIC)
                or trans_id != expected
                or trans_mount_id != mount_id
            ):
                return
            commit_at = (at + length + 1) & mask
            commit = self._read(commit_at, reiserfs.JOURNAL_BLOCK_SIZE)
            commit_id, commit_length, *more = reiserfs.JOURNAL_COMMIT.unpack(commit)
            if commit_id != trans_id or commit_length != length:
                return
            expected = u32(expected + 1)
            if s32(length) > 2 * reiserfs.TRANS_HALF:
                self.m.undefined.append("a ReiserFS transaction has more blocks than two blocks name")
            yield Transaction(at, _blocks(length, rest, more))
            at = (commit_at + 1) & mask


def _blocks(length: int, desc: list[Any], commit: list[Any]) -> tuple[int, ...]:
    """The block numbers of a transaction; more than two blocks hold lie in undefined memory and are left out."""
    numbers = [*desc[: reiserfs.TRANS_HALF], *commit[: reiserfs.TRANS_HALF]]
    return tuple(numbers[: max(s32(length), 0)])
