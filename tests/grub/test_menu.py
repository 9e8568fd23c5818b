"""Reading menu.lst, choosing entries, running them: each rule of GRUB's with a menu that shows it."""

from __future__ import annotations

import gzip

import pytest

from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.model import EventKind, Outcome
from tests.grub.memory_fs import Runner, boot

__all__ = ["boot"]

ENTRY = "root (hd0)\nkernel /k {0}\n"
HEAD = "timeout 0\n"
FAIL = "title {0}\nroot (hd0)\nkernel /missing\n"


def entries(*titles: str) -> str:
    return "".join(f"title {title}\n" + ENTRY.format(title) for title in titles)


def cmdline(m: Machine) -> bytes:
    assert m.handover
    return m.handover.cmdline


# lines


def test_carriage_returns_are_dropped_and_tabs_are_spaces(boot: Runner) -> None:
    m = boot.run("timeout\t0\r\ntitle A\r\n\troot\t(hd0)\r\nkernel\t/k a\tb\r\n")
    assert boot.outcome is Outcome.BOOTS
    assert cmdline(m) == b"a b"


def test_only_the_first_character_of_a_line_begins_a_comment(boot: Runner) -> None:
    m = boot.run(HEAD + "title A\nroot (hd0)\n  # kernel /bad\nkernel /k ro # no comment\n")
    assert cmdline(m) == b"ro # no comment"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"kernel /k a\\\nb", b"a b"),
        (b"kernel /k a\\\r\nb", b"a b"),
        (b"kernel /k a\\\\\nb", b"a\\ b"),
        (b"kernel /k a\\ \nb", b"a\\ "),
        (b"kernel /k a\\b", b"a\\b"),
        (b"kernel /k a\\\n\n", b"a "),
        (b"kernel /k a\\\n# b", b"a # b"),
        (b"kernel /k a\\\ntitle B", b"a title B"),
        (b"# c\\\nkernel /bad\nkernel /k a", b"a"),
        (b"\\\n\\\n  \\\nkernel /k a", b"a"),
        (b"kernel /k a\\", b"a\\"),
    ],
)
def test_backslash_and_newline_make_a_space(boot: Runner, line: bytes, expected: bytes) -> None:
    m = boot.run(b"timeout 0\ntitle A\nroot (hd0)\n" + line)
    assert boot.outcome is Outcome.BOOTS
    assert cmdline(m) == expected


def test_line_is_cut_at_1500_characters(boot: Runner) -> None:
    m = boot.run(HEAD + "title A\nroot (hd0)\nkernel /k " + "x" * 3000)
    assert len(b"kernel /k " + cmdline(m)) == 1500


def test_continuation_past_the_limit_blanks_the_last_character(boot: Runner) -> None:
    m = boot.run(HEAD + "title A\nroot (hd0)\nkernel /k " + "x" * 3000 + "\\\nyyy\n")
    assert cmdline(m) == b"x" * 1489 + b" "


def test_continuation_inside_a_long_comment_or_line_is_found_across_blocks(boot: Runner) -> None:
    block = 1 << 20
    head = b"timeout 0\ntitle A\nroot (hd0)\n#"
    menu = head + b"c" * (block - len(head) - 1) + b"\\\nkernel /bad\nkernel /k a" + b"\nkernel /k b"
    m = boot.run(menu)
    assert cmdline(m) == b"b"
    menu = head + b"c" * (block - len(head)) + b"\nkernel /k a"
    assert cmdline(boot.run(menu)) == b"a"


def test_nul_cuts_a_line_and_hides_one_that_begins_with_it(boot: Runner) -> None:
    m = boot.run(b"timeout 0\ntitle A\nroot (hd0)\nkernel /k a\0b\n\0kernel /bad\n")
    assert boot.outcome is Outcome.BOOTS
    assert cmdline(m) == b"a"


def test_byte_order_mark_makes_the_first_command_unknown(boot: Runner) -> None:
    boot.run(b"\xef\xbb\xbftitle A\nroot (hd0)\nkernel /k\n")
    assert boot.outcome is Outcome.PROMPT


def test_gzip_menu_is_read_and_its_crc_is_not(boot: Runner) -> None:
    packed = bytearray(gzip.compress((HEAD + entries("A")).encode()))
    packed[-8] ^= 0xFF
    boot.run(bytes(packed))
    assert boot.outcome is Outcome.BOOTS


# titles and commands


def test_unknown_commands_are_dropped_and_entries_without_known_ones_disappear(boot: Runner) -> None:
    m = boot.run("timeout 0\ndefault 1\ntitle A\nuuid x\nquiet\ntitle B\ntitle C\nboo\n" + entries("D", "E"))
    assert m.booted_entry == 1
    assert cmdline(m) == b"E"


def test_commands_are_neither_abbreviated_nor_in_capitals(boot: Runner) -> None:
    boot.run(HEAD + "title A\nROOT (hd0)\nkern /k\n")
    assert boot.outcome is Outcome.PROMPT


def test_equal_signs_and_spaces_separate_a_command_from_its_argument(boot: Runner) -> None:
    m = boot.run("timeout==0\ndefault = =1\ntitle=A\nroot=(hd0)\nkernel=/bad\ntitle = B\nroot (hd0)\nkernel = /k b\n")
    assert m.booted_entry == 1
    assert "  Booting 'B'" in boot.console


def test_only_menu_commands_run_above_the_first_title(boot: Runner) -> None:
    boot.run(HEAD + "root (hd0)\nhalt\ntitle A\nkernel /k\n")
    assert boot.errors == [(0, 21)]


@pytest.mark.parametrize("command", ["default 0", "timeout 0", "fallback 0", "hiddenmenu"])
def test_menu_command_in_an_entry_is_error_27(boot: Runner, command: str) -> None:
    boot.run(HEAD + f"title A\n{command}\n")
    assert boot.errors == [(0, 27)]
    assert boot.outcome is Outcome.FAILS


def test_echo_of_commands(boot: Runner) -> None:
    boot.run(HEAD + "title A\nroot  (hd0)\nprint  a b \nkernel  /k x \n")
    printed = "root  (hd0)\n Filesystem type is memfs, using whole disk\na b\nkernel  /k x"
    assert boot.console == "  Booting 'A'\n\n" + printed


# running


def test_error_waits_for_a_key_when_no_fallback_is_left(boot: Runner) -> None:
    boot.run(HEAD + FAIL.format("A"))
    assert boot.console.endswith("kernel /missing\n\nError 15: File not found\n\nPress any key to continue...")
    assert [event.kind for event in boot.m.events][-1] is EventKind.KEY
    assert boot.m.boot_errors[0].command == "kernel /missing"


def test_entry_begins_without_root_device(boot: Runner) -> None:
    boot.run("timeout 0\nfallback 1\ntitle A\nroot (hd0)\nkernel /missing\ntitle B\nkernel /k\n")
    assert [entry for entry, _ in boot.errors] == [0, 1]
    assert boot.errors[1][1] == 21


def test_fallback_entry_inherits_the_initrd_of_the_one_that_failed(boot: Runner) -> None:
    m = boot.run("timeout 0\nfallback 1\ntitle A\nroot (hd0)\nkernel /bad\ninitrd /i\n" + entries("B"))
    assert boot.errors == [(0, 9)]
    assert m.handover and m.handover.module == b"initrd"


def test_failed_initrd_leaves_nothing_behind(boot: Runner) -> None:
    menu = "timeout 0\nfallback 1\ntitle A\nroot (hd0)\nkernel /k\ninitrd /i\ninitrd /missing\n" + entries("B")
    m = boot.run(menu)
    assert m.handover and m.handover.module == b""


def test_commands_behind_boot_never_run(boot: Runner) -> None:
    boot.run(HEAD + entries("A") + "boot\nhalt\n")
    assert boot.outcome is Outcome.BOOTS


def test_lock_and_password(boot: Runner) -> None:
    boot.run("timeout 0\npassword secret\n" + entries("A") + "lock\n")
    assert boot.errors == [(0, 32)]
    boot.run("timeout 0\npassword --md5 $1$x\n" + entries("A"))
    assert boot.outcome is Outcome.BOOTS


def test_password_in_an_entry_waits(boot: Runner) -> None:
    boot.run(HEAD + "title A\npassword x\n")
    assert boot.outcome is Outcome.WAITS
    assert boot.console.endswith("Password:")


# configfile


def test_configfile_keeps_root_device_and_hiddenmenu_and_forgets_the_rest(boot: Runner) -> None:
    head = "timeout 0\nhiddenmenu\npassword x\nfallback 0\ndefault 1\n"
    menu = head + "title A\nhalt\ntitle B\nroot (hd0)\nconfigfile /o\n"
    m = boot.run(menu, {"/o": ("timeout 0\n" + entries("C") + "lock\n").encode()})
    assert boot.outcome is Outcome.BOOTS
    assert m.booted_entry == 0
    assert m.config_opened == "(hd0)/boot/grub/menu.lst"
    assert m.first_default_entry == 1
    assert b"GNU GRUB" not in m.term.raw()


def test_configfile_without_end_is_a_hang_found_soon(boot: Runner) -> None:
    boot.run(HEAD + "title A\nconfigfile (hd0)/boot/grub/menu.lst\n")
    assert boot.outcome is Outcome.HANG
    assert "configfile" in boot.reason


def test_missing_configfile_is_error_15(boot: Runner) -> None:
    boot.run(HEAD + "title A\nroot (hd0)\nconfigfile /nowhere\n")
    assert boot.errors == [(0, 15)]


def test_long_configfile_argument_is_noted_as_undefined(boot: Runner) -> None:
    boot.run(HEAD + "title A\nroot (hd0)\nconfigfile /o " + "x" * 100, {"/o": (HEAD + entries("B")).encode()})
    assert any("configfile" in text for text in boot.m.undefined)


# files that cannot be read to their end


def test_header_command_for_another_disk_ends_the_menu(boot: Runner) -> None:
    boot.run("timeout 0\nunhide (hd1)\n" + entries("A"))
    assert boot.outcome is Outcome.PROMPT


def test_menu_goes_on_from_the_same_place_of_another_disk(boot: Runner) -> None:
    m = boot.run("timeout 0\r\nunhide (hd1)\n" + entries("A"), disks=2)
    assert boot.outcome is Outcome.BOOTS
    assert cmdline(m) == b"A"


def test_read_error_keeps_what_was_read_but_loses_the_titles(boot: Runner) -> None:
    menu = HEAD + entries("A") + "print lost\n"
    boot.run(menu, unreadable_from=len(menu) - len("lost\n"))
    assert boot.outcome is Outcome.BOOTS
    assert boot.console.startswith("  Booting ''")


def test_fallback_beyond_the_end_of_an_unreadable_menu_hangs(boot: Runner) -> None:
    menu = HEAD + "fallback 9\n" + entries("A") + "print lost\n"
    boot.run(menu, unreadable_from=len(menu) - 3)
    assert boot.outcome is Outcome.HANG


def test_large_menu_is_noted_as_undefined(boot: Runner) -> None:
    boot.run(HEAD + entries("A") + "print x\n" * 45_000 + "halt\n")
    assert any("filesystem buffer" in text for text in boot.m.undefined)
    assert boot.outcome is Outcome.HALT


def test_no_config_file_is_the_prompt(boot: Runner) -> None:
    m = boot.run("", config="(hd0)/nowhere")
    assert boot.outcome is Outcome.PROMPT
    assert m.config_opened is None
    assert boot.console == ""
    assert m.term.raw().rstrip(b" \x1b[9;10H").endswith(b"grubdom>")
