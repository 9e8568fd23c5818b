"""Machines with several disks: which one PV-GRUB starts from, and that all of them are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.model import Verdict
from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.media.machines import MIB, write_ova, write_xva

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.raw")


def two_disks(good: Path, folder: Path) -> Path:
    """A machine with an image that boots, and one of zeros."""
    zeros = folder / "zeros.disk"
    zeros.write_bytes(bytes(4 * MIB))
    path = folder / "two.ova"
    write_ova(path, [(0, good), (1, zeros)])
    return path


def told_of_disks(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.message, one.evidence) for one in verdict.findings if one.rule == "disks-attached-otherwise"]


@pytest.mark.parametrize("asked", ["machine", "image"])
def test_whose_disk_hd0_is_is_told_where_another_one_comes_first(asked: str, good: Path, tmp_path: Path) -> None:
    image = str(two_disks(good, tmp_path) if asked == "machine" else good)
    other = unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "other.img")
    after = boot(image, device="/dev/xvda", disks={"/dev/xvdc": other})
    assert after.boots_default and not told_of_disks(after)
    before = boot(image, device="/dev/xvda", disks={"/dev/sdb": other})
    ((message, evidence),) = told_of_disks(before)
    assert not before.boots_default
    assert f"(hd0) is {other}, attached as /dev/sdb; {image}, which was asked about, is (hd1)" in message
    assert evidence.splitlines()[:2] == [
        f"(hd0): /dev/sdb (vbd 2064), {other}",
        f"(hd1): /dev/xvda (vbd 51712), {image}",
    ]


def test_a_machine_as_a_further_disk_is_told_to_be_its_first(good: Path, tmp_path: Path) -> None:
    machine = two_disks(good, tmp_path)
    ((message, _),) = told_of_disks(boot(good, disks={"/dev/sdb": machine}, timeout=60))
    assert (
        f"{machine} is a machine of 2 disks: its first is (hd1), attached as /dev/sdb, and the other one is" in message
    )


def test_files_of_all_disks_are_read(good: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    parted = unpack_sparse(FIXTURES / "images" / "mbr-primary.img.zst", tmp_path / "parted.img")
    images = {0: good, 1: parted, 2: good, **dict.fromkeys(range(3, 10), good)}
    path = tmp_path / "machine.xva"
    write_xva(path, [(str(n), f"Ref:{n:02}", one.read_bytes()) for n, one in images.items()])
    command = Run(good, tmp_path, capfdbinary)
    assert command(["ls", "{}"], path) == 0
    # PV-GRUB knows eight disks.
    assert command.out.split() == [b"(hd0)", b"(hd1)", b"(hd1,0)", *(f"(hd{n})".encode() for n in range(2, 8))]
    for here, there, image in (("(hd0,0)", "(hd1,0)", parted), ("(hd0)", "(hd2)", good)):
        for words in (["ls"], ["ls", "--survey"], ["cat"], ["cat", "--survey"]):
            inside = "/boot/" if words[0] == "ls" else "/boot/grub/menu.lst"
            alone = command([*words, "{}", f"{here}{inside}"], image), command.out
            assert alone[0] == 0 and alone[1]
            assert (command([*words, "{}", f"{there}{inside}"], path), command.out) == alone
        assert command(["kernel", f"{path}:{there}/boot/vmlinuz"]) == 0
    assert command(["cat", "{}", "/no/such"], path) == 2 and b"(hd1,0)" in command.err
    assert command(["cat", "--survey", "{}", "(hd10)/x"], path) == 2 and b"these 10 disks" in command.err
    assert command(["cat", "--survey", "{}", "(hd2)/x"], path) == 1 and b"Ref:02" in command.err
