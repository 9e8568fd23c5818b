"""Commands that write: what they put into the overlay; the image is never written."""

from __future__ import annotations

from pvgrub_sim.model import EventKind, Outcome
from tests.grub.memory_fs import FIRST_SECTOR, Runner, boot

__all__ = ["boot"]


def entry(*lines: str) -> str:
    return "timeout 0\ntitle T\n" + "".join(line + "\n" for line in lines)


def written(boot: Runner) -> list[tuple[int | None, str | None]]:
    return [(event.number, event.path) for event in boot.m.events if event.kind is EventKind.WRITE]


DEFAULT = {"/boot/grub/default": b"0\n" + b"#" * 30}


def test_savedefault_writes_the_sector_of_the_default_file_in_memory_only(boot: Runner) -> None:
    m = boot.run("default saved\n" + entry("root (hd0)", "savedefault 3", "halt"), DEFAULT)
    sector = FIRST_SECTOR + 8
    assert written(boot) == [(sector, "hd0")]
    assert m.overlay[0x80][sector].startswith(b"3\0\n\n\n\n\n\n\n\n#")
    assert m.disks[0].read(sector * 512, 2) == b"0\n"


def test_savedefault_keeps_the_previous_of_previous_and_once(boot: Runner) -> None:
    m = boot.run(entry("savedefault 3", "halt"), {"/boot/grub/default": b"7:1\n" + b"#" * 30})
    assert m.overlay[0x80][FIRST_SECTOR + 8].startswith(b"7\0\n")


def test_savedefault_of_a_short_file_is_noted_as_undefined(boot: Runner) -> None:
    boot.run(entry("savedefault", "halt"), {"/boot/grub/default": b"0\n"})
    assert any("too short" in text for text in boot.m.undefined)
    boot.run(entry("savedefault", "halt"), {"/boot/grub/default": b""})
    assert any("empty" in text for text in boot.m.undefined)


def test_savedefault_fallback_saves_the_next_one(boot: Runner) -> None:
    m = boot.run("fallback 2 1\n" + entry("savedefault fallback", "halt") + "title B\nhalt\ntitle C\nhalt\n", DEFAULT)
    assert m.overlay[0x80][FIRST_SECTOR + 8].startswith(b"2\0")


def test_partnew_in_the_64_bit_build_writes_into_the_next_entry(boot: Runner) -> None:
    menu = "partnew (hd0,0) 0x83 2 4\n" + entry("halt")
    m = boot.run(menu)
    table = m.overlay[0x80][0]
    assert table[446:462] == bytes((0, 0, 3, 0, 0x83, 0, 6, 0, 2, 0, 0, 0, 4, 0, 0, 0))
    assert table[510:] == b"\x55\xaa"
    assert boot.outcome is Outcome.HALT


def test_partitions_are_hidden_typed_and_made_active(boot: Runner) -> None:
    new = ["partnew (hd0,0) 0x83 2 4", "partnew (hd0,2) 0x07 8 4"]
    lines = ["hide (hd0,0)", "parttype (hd0,2) 0x0b", "rootnoverify (hd0,2)", "makeactive", "halt"]
    m = boot.run(entry(*new, *lines))
    table = m.overlay[0x80][0]
    assert table[450] == 0x93
    assert table[446 + 32] == 0x80
    assert table[450 + 32] == 0x0B
    m = boot.run(entry(*new, "hide (hd0,0)", "unhide (hd0,0)", "halt"))
    assert m.overlay[0x80][0][450] == 0x83
    assert len(written(boot)) == 4
