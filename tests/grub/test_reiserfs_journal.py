"""The journal of ReiserFS: what of it PV-GRUB replays, and what not."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.fs.reiserfs.journal import Journal
from pvgrub_sim.ondisk import reiserfs
from tests.grub.foreign import reiser_items, reiser_tree
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, read_file
from tests.grub.patching import PatchedDisk, recorded_image, u32
from tests.grub.written_images import (
    LATE,
)
from tests.tools import require

SUPER = 0x10000


def test_newest_files_of_a_second_mount_are_in_the_journal_alone(reiserfs_images: dict[str, Path]) -> None:
    m = machine_on(reiserfs_images["dirty"])
    for index in range(1, LATE + 1):
        assert read_file(m, b"(hd0)/late/d%d/file" % index) == b"%d\n" % index
    fsys = m.fsys
    journal = fsys.tree.journal
    assert isinstance(journal, Journal)
    assert journal.moved


def test_replay_is_what_the_kernel_and_reiserfsck_make_of_it(reiserfs_images: dict[str, Path], tmp_path: Path) -> None:
    image = tmp_path / "replayed.img"
    subprocess.run(["cp", "--sparse=always", reiserfs_images["dirty"], image], check=True)
    before = list_names(machine_on(image), b"(hd0)/late/")
    # It replays the journal and then checks.
    done = subprocess.run([require("reiserfsck"), "-y", "-q", image], capture_output=True, check=False, timeout=100)
    assert done.returncode in (0, 1)
    tree = reiser_tree(reiser_items(image))
    assert {b"/late/" + name for name in before} <= {path.rstrip(b"/") for path in tree}
    m = machine_on(image)
    assert list_names(m, b"(hd0)/late/") == before


def test_quirk_journal_of_a_first_mount_is_not_replayed(reiserfs_images: dict[str, Path]) -> None:
    """The header says that transaction 0 was the last in its place, and Linux's first has the number 10."""
    m = machine_on(reiserfs_images["first"])
    assert mount(m) == "reiserfs"
    read = m.disks[0].read
    start, count = struct.unpack("<I4xI", read(SUPER + 12, 12))
    header = struct.unpack("<3I", read(4096 * (start + count), 12))
    desc = read(4096 * start, 4096)
    assert desc[4084:4092] == reiserfs.JOURNAL_DESC_MAGIC
    number, _, mount_id = struct.unpack("<3I", desc[:12])
    assert (number, mount_id) == (10, header[2])
    assert header[0] == 0
    assert b"late" not in list_names(m, b"(hd0)/")
    # With the number that the driver expects it would be.
    corrected = machine_on(PatchedDisk(reiserfs_images["first"], {4096 * (start + count): u32(number - 1)}))
    assert b"late" in list_names(corrected, b"(hd0)/")


def test_quirk_journal_of_another_mount_than_the_header_names_is_not_replayed(reiserfs_images: dict[str, Path]) -> None:
    image = reiserfs_images["dirty"]
    start, count = struct.unpack("<I4xI", machine_on(image).disks[0].read(SUPER + 12, 12))
    m = machine_on(PatchedDisk(image, {4096 * (start + count) + 8: u32(3)}))
    assert mount(m) == "reiserfs"
    assert m.fsys.tree.journal.moved == {}


def test_quirk_journal_that_is_no_power_of_two_is_not_replayed(reiserfs_images: dict[str, Path]) -> None:
    m = machine_on(reiserfs_images["odd"])
    count = struct.unpack("<I", m.disks[0].read(SUPER + 20, 4))[0]
    assert count & (count - 1)
    assert error_of(m, b"(hd0)/late/d1/file") == ErrNum.FILE_NOT_FOUND
    assert error_of(machine_on(reiserfs_images["dirty"]), b"(hd0)/late/d1/file") == 0


@pytest.mark.parametrize("case", ["reiserfs-36-replay1024"])
def test_quirk_journal_of_other_block_sizes_looks_empty(tmp_path: Path, case: str) -> None:
    """Description blocks are looked at as if they had 4096 bytes: moving the magic hides a transaction."""
    image = recorded_image(case, tmp_path)
    m = machine_on(image)
    assert mount(m) == "reiserfs"
    read = m.disks[0].read
    start, count = struct.unpack("<I4xI", read(SUPER + 12, 12))
    first = struct.unpack("<3I", read(4096 * (start + count), 12))[1]
    hidden = machine_on(PatchedDisk(image, {4096 * (start + first) + 4084: bytes(8)}))
    assert mount(hidden) == "reiserfs"
    assert hidden.fsys.tree.journal.moved == {}


def journal_image(transactions: list[tuple[int, tuple[int, ...]]], count: int, flushed: int = 0) -> bytes:
    """A journal of `count` blocks at block 0: per transaction its id and the blocks it changed.

    flushed: how many of them the header counts as in their places.
    """
    blocks = bytearray(4096 * (count + 1))
    at = 0
    starts = []
    for number, changed in transactions:
        starts.append(at)
        numbers = struct.pack(f"<{len(changed)}I", *changed).ljust(4 * 1018, b"\0")
        desc = struct.pack("<3I", number, len(changed), 7) + numbers + reiserfs.JOURNAL_DESC_MAGIC.ljust(12, b"\0")
        commit = struct.pack("<2I", number, len(changed)).ljust(4096, b"\0")
        for block in (desc, *(b"newer".ljust(4096, b"\0") for _ in changed), commit):
            blocks[4096 * at : 4096 * at + 4096] = block
            at = (at + 1) % count
    header = struct.pack("<3I", transactions[flushed][0] - 1, starts[flushed], 7)
    blocks[4096 * count : 4096 * count + 12] = header
    return bytes(blocks)


def replayed(data: bytes, count: int) -> dict[int, int]:
    m = machine_on(data)
    m.current_drive = 0x80
    m.part_length = len(data) // 512
    journal = Journal(m, 0, count, 3)
    journal.replay()
    return journal.moved


def test_the_last_transaction_that_has_a_block_counts() -> None:
    moved = replayed(journal_image([(5, (100, 200)), (6, (100,)), (7, (300, 300))], 16), 16)
    # Places in the journal: 5 at 0 (1, 2), 6 at 4 (5), 7 at 7 (8, 9).
    assert moved == {100: 5, 200: 2, 300: 8}


def test_a_wrapped_journal() -> None:
    transactions = [(1, (1, 2, 3)), (2, (4, 5, 6, 7))]
    assert replayed(journal_image(transactions, 8, flushed=1), 8) == {4: 6, 5: 7, 6: 0, 7: 1}
    # The second transaction lies over the first, which the header had better not name.
    assert replayed(journal_image(transactions, 8), 8) == {}


def test_a_transaction_of_more_blocks_than_its_description_holds() -> None:
    changed = tuple(range(5000, 5000 + 1018))
    assert len(replayed(journal_image([(1, changed)], 2048), 2048)) == 1018


def test_quirk_transactions_are_counted_in_16_bits() -> None:
    """65536 transactions count as none; shown on the count itself, a journal of that size being 1 GiB."""
    data = journal_image([(5, (100,)), (6, (200,))], 16)
    m = machine_on(data)
    m.current_drive, m.part_length = 0x80, len(data) // 512
    journal = Journal(m, 0, 16, 3)
    two = list(journal._transactions())
    journal._transactions = lambda: iter(two * 32768)
    journal.replay()
    assert journal.moved == {}
