"""Partition tables, changed with sfdisk and sgdisk: a type changes, no partition moves, shrinks or goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.values import NamedTuple


class Partition(NamedTuple):
    """One partition as sfdisk lists it: start and size in sectors of 512 bytes; its type, as sfdisk writes it."""

    number: int
    start: int
    size: int
    type: str


def partitions(image: Path, tools: Tools) -> tuple[Partition, ...]:
    """The partitions of an image, in the order of sfdisk's list; raises RepairError where it reads no table."""
    printed = tools.run(
        "sfdisk",
        "-J",
        tools.name_of(image),
    ).output
    try:
        said = json.loads(printed)["partitiontable"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RepairError(f"sfdisk lists no partitions of {image.name} that can be understood") from None
    sectors = int(said.get("sectorsize", 512)) // 512
    found = []
    for row in said.get("partitions", []):
        # sfdisk puts the number behind the image's name, with a `p` between where that ends in a digit.
        number = int(row["node"][len(tools.name_of(image)) :].lstrip("p"))
        found.append(Partition(number, row["start"] * sectors, row["size"] * sectors, row["type"].lower()))
    return tuple(found)


def change_table(argv: Sequence[str], tools: Tools) -> None:
    """Run sfdisk or sgdisk on a file; argv: the command.

    No kernel has to be told of a file's table, for which sfdisk would wait, and then flush every disk that there is.
    """
    quick = ("--no-tell-kernel",) if argv[0] == "sfdisk" else ()
    tools.run(argv[0], *quick, *argv[1:])


def set_type(image: Path, number: int, kind: str, tools: Tools) -> None:
    """Give a partition of an MBR another type.

    number: as Linux counts. kind: the type in hexadecimal digits, without `0x`. Raises RepairError when anything else
    changed as well, or nothing did.
    """
    before = partitions(image, tools)
    change_table(("sfdisk", "-q", "--part-type", tools.name_of(image), str(number), kind), tools)
    expected = tuple(part._replace(type=kind.lower()) if part.number == number else part for part in before)
    _expect(image, expected, tools)


def add_hybrid_mbr(image: Path, numbers: tuple[int, ...], tools: Tools) -> None:
    """Put partitions of a GPT into its protective MBR as well, where a PV-GRUB that knows no GPT sees them.

    numbers: of the GPT, three at the most, in the order in which they are numbered there; the table itself stays as it
    is. Raises RepairError when any partition of the GPT changed.
    """
    if not 0 < len(numbers) <= 3:
        raise RepairError(f"a hybrid MBR has room for three partitions of a GPT, not for {len(numbers)}")
    before = gpt_partitions(image, tools)
    tools.run(
        "sgdisk",
        f"--hybrid={':'.join(map(str, numbers))}",
        tools.name_of(image),
    )
    if gpt_partitions(image, tools) != before:
        raise RepairError("sgdisk changed the GPT while it made a hybrid MBR")


def gpt_partitions(image: Path, tools: Tools) -> tuple[tuple[str, ...], ...]:
    """The partitions of a GPT as sgdisk prints them, row by row; raises RepairError where it reads none."""
    lines = tools.run(
        "sgdisk",
        "-p",
        tools.name_of(image),
    ).output.splitlines()
    rows = tuple(tuple(line.split()) for line in lines if line[:4].strip().isdigit())
    if not rows:
        raise RepairError(f"sgdisk finds no partition on {image.name}")
    return rows


def _expect(image: Path, expected: tuple[Partition, ...], tools: Tools) -> None:
    found = partitions(image, tools)
    if found != expected:
        raise RepairError(f"the partition table of {image.name} came out other than it should: {found}")
