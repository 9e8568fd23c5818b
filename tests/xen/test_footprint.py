"""What a handover takes, against sums by hand."""

from __future__ import annotations

import pytest

from pvgrub_sim.profiles import find_profile
from pvgrub_sim.xen.footprint import footprint
from pvgrub_sim.xen.image import KernelImage

KERNEL = KernelImage("bzImage", "gzip", size=40_000_000, start=0xFFFFFFFF81000000, end=0xFFFFFFFF82345678)


@pytest.mark.parametrize(("arch", "tables"), [("x86_64", 2 * 160_512 * 8), ("i386", 2 * 160_512 * 4)])
def test_each_share(arch: str, tables: int) -> None:
    # 627 MiB are 160,512 pages; 0x1345678 bytes are 4,934 pages and 5 are one.
    profile = find_profile("amazon-1.05", arch)._replace(memory=627)
    taken = footprint(KERNEL, 3 << 20, 5, profile)
    assert taken == (3 << 20, 40_000_000, 4934 * 4096, 4096, tables)
    assert taken.total == (3 << 20) + 40_000_000 + 4935 * 4096 + tables


def test_what_is_not_unpacked_takes_no_room_twice() -> None:
    profile = find_profile("xen-4.17", "x86_64")._replace(memory=16)
    assert footprint(KERNEL._replace(loader="ELF", payload=""), 0, 0, profile).unpacked == 0
    assert footprint(KERNEL._replace(size=None), 0, 0, profile)[:4] == (0, 0, 0, 0)
