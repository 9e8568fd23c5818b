"""Images that once took 23 GB or 200 s: memory and processor time are bounded, and the verdict is a clear one."""

from __future__ import annotations

import json

import pytest

from pvgrub_sim import ImageFileError, Outcome, iter_file, read_file
from pvgrub_sim.cint import MAXINT
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.menu.config import read_menu
from pvgrub_sim.grub.stop import Stop
from tests.grub.machine_factory import machine_on
from tests.grub.memory_fs import MemoryFs, disk_of
from tests.hostile.conftest import Unpack
from tests.hostile.limits import limited

WHY = {
    "res-8kernels.img": ("crash", "/boot/k0 does not fit into the 256 MiB of memory that PV-GRUB's domain has"),
    "res-kernel-100.img": ("crash", "/boot/k does not fit into the 256 MiB of memory that PV-GRUB's domain has"),
    "res-cmp.img": ("crash", "/boot/k is read into more memory than the 256 MiB of the domain"),
}


@pytest.mark.parametrize("name", WHY)
def test_verdicts(name: str, hostile: Unpack) -> None:
    run = limited(["boot", "--format", "json", str(hostile(name))])
    told = json.loads(run.out)
    assert (told["outcome"], told["reason"]) == WHY[name]
    assert run.status == 1


@pytest.mark.parametrize("name", ["res-8kernels.img", "res-kernel-100.img"])
def test_memory_is_what_is_asked_for(name: str, hostile: Unpack) -> None:
    told = json.loads(limited(["boot", "--memory", "64", "--format", "json", str(hostile(name))]).out)
    assert told["outcome"] == "crash" and "64 MiB" in told["reason"]


@pytest.mark.parametrize(
    "command", [["inspect"], ["aki", "recommend"], ["ls", "-l", "(hd0)/boot/"]], ids=lambda c: c[0]
)
@pytest.mark.parametrize("name", ["res-8kernels.img", "res-kernel-100.img", "res-cmp.img"])
def test_other_commands(command: list[str], name: str, hostile: Unpack) -> None:
    words = command[:1] if command[0] != "aki" else command
    limited([*words, str(hostile(name)), *command[len(words) :]])


def test_a_file_that_claims_a_gigabyte_is_read_in_pieces_only(hostile: Unpack) -> None:
    image = hostile("res-isize-menu.img")
    with pytest.raises(ImageFileError, match="more than 256 MiB"):
        read_file(image, "(hd0)/boot/grub/menu.lst")
    assert len(next(iter_file(image, "(hd0)/boot/grub/menu.lst"))) == 1 << 20


def test_a_menu_that_claims_a_gigabyte_is_read_to_its_end(hostile: Unpack) -> None:
    run = limited(["boot", "--format", "json", str(hostile("res-isize-menu.img"))], seconds=20)
    assert json.loads(run.out)["outcome"] != "timeout"


def test_a_menu_over_the_page_tables_crashes() -> None:
    """The menu's text lies in scratch memory, with nobody counting (stage2/stage2.c:cmain)."""
    m = machine_on(disk_of({}).read(0, 1024) + bytes(1 << 20))
    line = b"title " + b"x" * 1400 + b"\nboot\n"
    m.fsys = Repeated(m, line)
    m.filemax, m.fsmax = 40 << 20, MAXINT
    with pytest.raises(Stop) as stop:
        read_menu(m)
    assert stop.value.outcome is Outcome.CRASH and "page tables" in stop.value.reason


class Repeated(MemoryFs):
    """A file that is one pattern again and again."""

    def __init__(self, m: Machine, pattern: bytes) -> None:
        super().__init__(m)
        self.pattern = pattern * (2 + (1 << 20) // len(pattern))
        self.period = len(pattern)

    def read(self, length: int) -> bytes:
        begin = self.m.filepos % self.period
        self.m.filepos += length
        return self.pattern[begin : begin + length]
