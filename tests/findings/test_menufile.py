"""The menu with line numbers has the entries that the machine sees, on every recorded menu and on made ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvgrub_sim.findings.facts import menufile
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_open
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.menu.config import NEW_HEAPSIZE, read_menu
from pvgrub_sim.grub.viewer import Viewer
from pvgrub_sim.media import open_disk
from pvgrub_sim.profiles import find_profile
from tests.findings.cases import FIXTURES
from tests.images import unpack_sparse

CASES = FIXTURES / "conformance" / "menus"
READ_ON_FROM_ELSEWHERE = {"hdr-unhide-hd1"}
"""A command of the header makes GRUB read the rest of the menu from another disk."""
MENUS = [
    case
    for case in map(json.loads, (CASES / "cases.jsonl").read_text("utf-8").splitlines())
    if case["case"] not in READ_ON_FROM_ELSEWHERE
]


def shown(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["case"]) for case in MENUS])
def test_entries_are_those_of_the_machine(case: dict[str, str], tmp_path: Path) -> None:
    disk = open_disk(str(unpack_sparse(CASES / case["image"], tmp_path / "disk.img")))
    machine = Viewer([disk], find_profile("xen-4.17", case["arch"])).machine()
    try:
        grub_open(machine, case["config"].encode())
    except GrubError:
        disk.close()
        return
    raw = grub_read(machine, machine.filemax)
    machine.filepos = 0
    machine.errnum = ErrNum.NONE
    menu = read_menu(machine)
    disk.close()
    found = menufile.parse(raw)
    if machine.undefined:
        return
    assert found.count == len(menu)
    for number in range(len(menu)):
        entry = found.entry(number)
        assert entry is not None
        assert entry.title.argument == shown(menu.title(number))
        # Longer lines are cut, and a continuation past the limit changes their last character.
        kept = [line.text for line in entry.lines if line.known]
        for text, line in zip(kept, menu.commands(number), strict=True):
            assert text[: NEW_HEAPSIZE - 1].startswith(shown(line)[: NEW_HEAPSIZE - 1])


LINES = st.lists(
    st.sampled_from(["title A", "root (hd0)", "kernel /x ro # c", "# comment", "# c \\", "initrd=/i", "\tkernel /y \\",
                     "  quiet", "", "timeout 5", "search x", "title", "boot\r", "=", "\\", "title B\\"]),
    max_size=20,
)  # fmt: skip


@given(LINES)
def test_line_numbers(lines: list[str]) -> None:
    raw = "\n".join(lines).encode()
    menu = menufile.parse(raw)
    physical = raw.decode().replace("\r", "").replace("\t", " ").split("\n")
    for line in [
        *menu.header,
        *(entry.title for entry in menu.entries),
        *(x for entry in menu.entries for x in entry.lines),
    ]:
        first = physical[line.number - 1].lstrip(" ")
        assert line.text.startswith(first.removesuffix("\\"))


@given(st.binary(max_size=400))
def test_anything_is_a_menu(raw: bytes) -> None:
    assert menufile.parse(raw).count >= 0


def test_continued_lines_are_told_as_a_range() -> None:
    menu = menufile.parse(b"title A\nkernel /x \\\n  ro \\\n  quiet\nroot (hd0)\n")
    assert [(line.number, line.span) for line in menu.entries[0].lines] == [(2, 3), (5, 1)]
