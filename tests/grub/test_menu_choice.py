"""Which entry boots: default, fallback, timeout."""

from __future__ import annotations

import pytest

from pvgrub_sim.grub.stage2 import default_file_of
from pvgrub_sim.model import Outcome
from tests.grub.memory_fs import Runner, boot

__all__ = ["boot"]

ENTRY = "root (hd0)\nkernel /k {0}\n"
FAIL = "title {0}\nroot (hd0)\nkernel /missing\n"


def entries(*titles: str) -> str:
    return "".join(f"title {title}\n" + ENTRY.format(title) for title in titles)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("0x2", 2), ("010", 0), ("2 1", 2), ("+1", 0), (" 1", 1), ("x", 0), ("1x", 1), ("99", 0), ("", 0)],
)
def test_default(boot: Runner, text: str, expected: int) -> None:
    assert boot.run(f"timeout 0\ndefault {text}\n" + entries("A", "B", "C")).booted_entry == expected


def test_bad_default_leaves_the_one_before(boot: Runner) -> None:
    assert boot.run("timeout 0\ndefault 1\ndefault 99999999999\n" + entries("A", "B")).booted_entry == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"2\n", 2),
        (b"2", 2),
        (b"1:2\n", 2),
        (b"", 0),
        (b" 2\n", 0),
        (b"0000000002\n", 0),
        (b"000000002\n", 2),
        (b"x:1", 1),
        (b":1:2", 1),
    ],
)
def test_default_saved_reads_nine_characters(boot: Runner, content: bytes, expected: int) -> None:
    menu = "timeout 0\ndefault saved\n" + entries("A", "B", "C")
    assert boot.run(menu, {"/boot/grub/default": content}).booted_entry == expected


def test_default_saved_with_a_trailing_space_is_a_bad_number(boot: Runner) -> None:
    menu = "timeout 0\ndefault saved \n" + entries("A", "B")
    assert boot.run(menu, {"/boot/grub/default": b"1\n"}).booted_entry == 0


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b"(hd0,0)/boot/grub/menu.lst", b"(hd0,0)/boot/grub/default"),
        (b"(hd0)/menu.lst", b"(hd0)/default"),
        (b"(hd0)/a/b c/d", b"(hd0)/a/b c/default"),
        (b"(hd0)0+1", b"efault"),
        (b"/" + b"x" * 92 + b"/y", b"/" + b"x" * 92 + b"/d"),
    ],
)
def test_default_file_lies_beside_the_config_file(config: bytes, expected: bytes) -> None:
    assert default_file_of(config) == expected


@pytest.mark.parametrize(
    ("line", "tried"),
    [
        ("1", [0, 1]),
        ("1 2", [0, 1, 2]),
        ("2,1", [0, 2]),
        ("1 1 2", [0]),
        ("2 1 1", [0, 2, 1]),
        ("1 x", [0]),
        ("", [0]),
        ("9 1 7 2", [0, 1, 2]),
        ("9", [0]),
        ("0 1", [0, 0, 1]),
        ("0 1 2 3 4 5 6 7 8", [0, 0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_fallback(boot: Runner, line: str, tried: list[int]) -> None:
    boot.run(f"timeout 0\nfallback {line}\n" + "".join(FAIL.format(i) for i in range(9 if "8" in line else 3)))
    assert [entry for entry, _ in boot.errors] == tried
    assert boot.outcome is Outcome.FAILS


def test_second_bad_fallback_line_overwrites_the_list_of_the_first(boot: Runner) -> None:
    boot.run("timeout 0\nfallback 1\nfallback 2 x\n" + "".join(FAIL.format(i) for i in range(3)))
    assert [entry for entry, _ in boot.errors] == [0, 2]


def test_eighth_fallback_that_does_not_exist_hangs(boot: Runner) -> None:
    boot.run("timeout 0\nfallback 0 1 2 3 4 5 6 99\n" + "".join(FAIL.format(i) for i in range(8)))
    assert boot.outcome is Outcome.HANG
    assert "fallback" in boot.reason


def test_default_beyond_the_end_uses_up_the_first_fallback(boot: Runner) -> None:
    boot.run("timeout 0\ndefault 9\nfallback 1 0\n" + "".join(FAIL.format(i) for i in range(2)))
    assert [entry for entry, _ in boot.errors] == [1, 0]
    assert boot.m.first_default_entry == 1


def test_fallback_is_for_errors_only(boot: Runner) -> None:
    boot.run("timeout 0\nfallback 1\ntitle A\nroot (hd0)\n" + entries("B"))
    assert boot.outcome is Outcome.MENU


@pytest.mark.parametrize("line", ["", "timeout\n", "timeout -1\n", "timeout x\n", "hiddenmenu\n"])
def test_menu_waits_without_a_valid_timeout(boot: Runner, line: str) -> None:
    boot.run(line + entries("A"))
    assert boot.outcome is Outcome.MENU
    assert b"GNU GRUB  version 0.97" in boot.m.term.raw()


@pytest.mark.parametrize("head", ["timeout 0\n", "timeout 5s\n", "timeout 2147483647\n", "hiddenmenu\ntimeout 3\n"])
def test_timeout_boots_the_default_entry(boot: Runner, head: str) -> None:
    boot.run(head + entries("A"))
    assert boot.outcome is Outcome.BOOTS
    assert (b"GNU GRUB" in boot.m.term.raw()) is ("hidden" not in head)
