"""What tells the loaders of Xen's versions apart, where no recorded kernel does; expectations from the sources."""

from __future__ import annotations

import pytest

from pvgrub_sim.ondisk.xen_notes import NoteType
from pvgrub_sim.profiles import PROFILES
from pvgrub_sim.profiles.loaders import STABLE
from pvgrub_sim.profiles.source_lines import source_lines
from pvgrub_sim.xen.elf import end_with_bsd_symbols, open_elf
from pvgrub_sim.xen.excerpt import InMemory
from pvgrub_sim.xen.refusal import Cause
from tests.kernel_images import START, Elf, bzimage, linux_notes, note, payload
from tests.xen.loading import load

PVH_ALONE = Elf(notes=note(NoteType.PHYS32_ENTRY, START, width=4), vaddr=START, paddr=START, entry=START).build()


@pytest.mark.parametrize("minor", range(22))
def test_every_version_has_a_name(minor: int) -> None:
    profile = PROFILES[f"xen-4.{minor}"]
    assert profile.loader.xen == (4, minor)
    assert profile.loader.since
    assert load(bzimage(payload("gzip", Elf().build())), profile.name).guest_type == "xen-3.0-x86_64"


def test_two_releases_have_names_of_their_own() -> None:
    assert PROFILES["xen-4.0.0"].loader.rules != PROFILES["xen-4.0"].loader.rules
    assert PROFILES["xen-4.4.0"].loader.rules != PROFILES["xen-4.4"].loader.rules


@pytest.mark.parametrize("tree", STABLE)
def test_every_tree_has_its_source_lines(tree: str) -> None:
    lines = source_lines(tree)
    loader = STABLE[tree]
    assert ("no_shstrtab" in lines) is loader.needs_section_names
    assert ("machine" in lines) is bool(loader.unknown_machine)
    assert ("dom0" in lines) is ("dom0" in loader.features)
    assert ("offset" in lines) is loader.checks_place
    assert loader.payloads | loader.recognised <= lines.keys()


def test_a_kernel_for_pvh_alone_from_410_to_415() -> None:
    boots = [name for name in PROFILES if name.startswith("xen-") and load(PVH_ALONE, name).number is None]
    assert boots == [f"xen-4.{minor}" for minor in range(10, 16)]


def test_amazon_14_has_the_loader_of_xen_43_but_for_lzma() -> None:
    stripped = Elf(sections=False).build()
    for name in ("xen-4.3", "amazon-1.04", "amazon-1.05"):
        loaded = load(stripped, name)
        assert loaded.cause is Cause.NO_SECTION_NAMES
        assert loaded.lines[0] == (
            "xc: error: panic: xc_dom_elfloader.c:345: xc_dom_parse_elf_kernel: ELF image has no shstrtab: "
            "Invalid kernel"
        )


def test_end_of_the_symbol_table() -> None:
    """elf_parse_bsdsyms() of 4.4, 4.7 and 4.17 on the same file."""
    kernel = Elf(symbols=(0x30, 0x21)).build()
    end = 0x10000
    ends = {}
    for tree in ("4.4", "4.7", "4.17"):
        elf = open_elf(InMemory(kernel), len(kernel), 64, STABLE[tree])
        sections = elf.section_count
        ends[tree] = end_with_bsd_symbols(elf, end) - end, sections
    names = len(b"\0.text\0.notes\0__xen_guest\0.shstrtab\0")

    def rounded(value: int) -> int:
        return (value + 7) & ~7

    every = rounded(4 + 64 + ends["4.4"][1] * 64)
    for size in (0x30, 0x21, names):
        every = rounded(every + size)
    assert ends["4.4"][0] == every
    assert ends["4.7"][0] == rounded(rounded(rounded(4 + 64 + 3 * 64) + 0x30) + 0x21)
    assert ends["4.17"][0] == rounded(rounded(rounded(4 + 4 + 64 + 3 * 64) + 0x30) + 0x21)


def test_symbols_are_measured_from_a_virtual_address_up_to_440() -> None:
    """472bdfefad: the offset of the addresses is added twice, and the kernel ends before it begins."""
    kernel = Elf(notes=linux_notes() + note(NoteType.BSD_SYMTAB, b"yes\0"), symbols=(0x30, 0x21)).build()
    assert load(kernel, "xen-4.4.0").cause is Cause.OUT_OF_BOUNDS
    assert load(kernel, "xen-4.4").number is None
