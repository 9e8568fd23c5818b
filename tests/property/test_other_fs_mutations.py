"""Damaged FAT, ISO 9660, UFS and vstafs images: always an outcome, within the step budget and in bounded memory."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import STEP_BUDGET, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.fat_images import MENU, contents, make_fat, make_folder, put
from tests.grub.machine_factory import list_names, machine_on, open_file
from tests.grub.test_ufs import make_ufs, make_vstafs
from tests.rounds import rounds
from tests.tools import run

MIB = 1 << 20
PATHS = (b"/boot/vmlinuz", b"/boot/grub/menu.lst", b"/boot/nothing", b"/menu.lst")
MOST = 4 * MIB
"""Bytes read of a file: its size may be anything."""

WORDS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0xFFFFFF8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
VALUES = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from(WORDS).map(lambda value: struct.pack("<I", value)),
    st.sampled_from([(1 << 63) - 1, 1 << 63, (1 << 64) - 1]).map(lambda value: struct.pack("<Q", value)),
)


def _tree(folder: Path) -> Path:
    tree = folder / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "boot" / "grub" / "menu.lst").write_bytes(MENU)
    (tree / "boot" / "vmlinuz").write_bytes(contents("vmlinuz", 150_000))
    (tree / "boot" / "a file with a long name").write_bytes(b"long")
    return tree


def _fat(image: Path, size: int, *options: str) -> bytes:
    make_fat(image, size, *options)
    for folder in ("/boot", "/boot/grub"):
        make_folder(image, folder)
    put(image, "/boot/grub/menu.lst", MENU)
    put(image, "/boot/a file with a long name", b"long")
    put(image, "/boot/vmlinuz", contents("vmlinuz", 150_000))
    return image.read_bytes()


@cache
def base(kind: str) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """An undamaged image, and where its structures lie as (first byte, bytes)."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "image"
        if kind.startswith("fat"):
            size = {"fat12": 1440 * 1024, "fat16": 8 * MIB, "fat32": 36 * MIB}[kind]
            options = ("-F", kind[3:], "-s", "1") if kind != "fat12" else ("-F", "12")
            data = _fat(image, size, *options)
            table = 512 * struct.unpack_from("<H", data, 14)[0]
            entries = [data.index(text) for text in (b"BOOT    ", b"VMLINUZ ", b"MENU    LST")]
            return data, ((0, 64), (table, 640), *((at - 64, 128) for at in entries))
        tree = _tree(folder)
        if kind == "iso9660":
            run("genisoimage", "-quiet", "-R", "-o", image, tree)
            data = image.read_bytes()
            root = 2048 * struct.unpack_from("<I", data, 32768 + 158)[0]
            return data, ((32768, 200), (root, 512), (root, 6 * 2048))
        if kind == "vstafs":
            return make_vstafs("I"), ((0, 16), (512, 64), (5 * 512 + 320, 32), (6 * 512, 64))
        data = make_ufs(tree, image, int(kind[3]), 8192 if kind == "ufs1" else 16384, 4 * MIB)
        inodes = struct.unpack_from("<i", data, 8192 + 16)[0] * struct.unpack_from("<i", data, 8192 + 52)[0]
        entries = [data.index(text) for text in (b"boot\0", b"vmlinuz\0")]
        return data, ((8192, 200), (8192 + 1330, 46), (inodes, 2048), *((at - 8, 64) for at in entries))


def damaged(kind: str, damage: list[tuple[int, int, bytes]], cut: int | None) -> bytes:
    """The image with bytes replaced: (which structure, where in it, by what), and cut short."""
    data, places = base(kind)
    image = bytearray(data)
    for which, offset, value in damage:
        start, size = places[which % len(places)]
        at = start + offset % size
        image[at : at + len(value)] = value
    return bytes(image[: max(512, len(data) - cut)]) if cut is not None else bytes(image)


def use(m: Machine) -> None:
    """What a boot does with a filesystem; raises nothing but Stop."""
    for path in PATHS:
        try:
            open_file(m, b"(hd0)" + path)
            left = MOST
            while left > 0 and (data := grub_read(m, 64 * 1024)):
                left -= max(len(data), 4096)
        except GrubError as error:
            assert m.errnum == error.number
    for path in (b"/", b"/boot/", b"/boot/a"):
        try:
            list_names(m, b"(hd0)" + path)
        except GrubError:
            continue


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32", "iso9660", "ufs1", "ufs2", "vstafs"])
@settings(max_examples=rounds(40, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    damage=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 1 << 14), VALUES), max_size=6),
    cut=st.one_of(st.none(), st.integers(1, 2 * MIB)),
)
def test_damage_ends_in_an_outcome(kind: str, damage: list[tuple[int, int, bytes]], cut: int | None) -> None:
    m = machine_on(damaged(kind, damage, cut), arch="i386" if kind in {"ufs1", "vstafs"} else "x86_64")
    try:
        use(m)
    except Stop as stop:
        assert stop.outcome in (Outcome.HANG, Outcome.CRASH)
    assert m.steps <= STEP_BUDGET + 1000
