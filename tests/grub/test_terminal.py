"""The console: wrap, control characters, the cleaned text, and a person at the keyboard."""

from __future__ import annotations

import pytest

from pvgrub_sim.grub.console.serial_input import SerialInput
from pvgrub_sim.grub.console.terminal import DISP_HORIZ, NEWLINE, Terminal, TermKind, clean
from pvgrub_sim.grub.console.terminfo import escape, tparm, unescape
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.keys import Key, TypedKeys
from pvgrub_sim.model import Outcome
from tests.grub.memory_fs import Runner, boot

__all__ = ["boot"]


def typist(*keys: str | int) -> TypedKeys:
    """Somebody who presses keys one after another, whenever PV-GRUB is idle."""
    return TypedKeys(Key(bytes((key,)) if isinstance(key, int) else key.encode()) for key in keys)


def printed(text: bytes) -> bytes:
    term = Terminal()
    term.write(text)
    return term.raw()


def test_line_is_wrapped_before_its_80th_character() -> None:
    assert printed(b"x" * 79) == b"x" * 79
    assert printed(b"x" * 80) == b"x" * 79 + NEWLINE + b"x"
    assert printed(b"x" * 200) == NEWLINE.join((b"x" * 79, b"x" * 79, b"x" * 42))
    assert printed(b"x" * 79 + b"\ny") == b"x" * 79 + NEWLINE + b"y"


def test_column_counts_over_several_writes_and_backspace() -> None:
    term = Terminal()
    term.write(b"x" * 78)
    term.write(b"yy")
    assert term.raw().endswith(b"y" + NEWLINE + b"y")
    assert printed(b"x" * 79 + b"\b" + b"yz").endswith(b"x\by" + NEWLINE + b"z")


def test_tab_stops_every_four_columns_eight_wide() -> None:
    """QUIRK: grub_putchar() takes the column modulo 4."""
    assert printed(b"\tx") == b" " * 8 + b"x"
    assert printed(b"abc\tx") == b"abc" + b" " * 5 + b"x"


def test_escape_characters_of_text_become_arrows() -> None:
    assert printed(b"a\x1b[7m\x18\x19\x1a") == b"a<[7m^v>"


def test_bytes_above_127_are_text_but_drawing_characters_are_not() -> None:
    assert printed(bytes((DISP_HORIZ,))) == bytes((DISP_HORIZ,))
    term = Terminal()
    term.put(DISP_HORIZ)
    assert term.raw() == b"-"


def test_printk_goes_past_the_column_count() -> None:
    term = Terminal()
    term.write(b"x" * 70)
    term.printk(b"loader\n")
    term.write(b"y" * 10)
    assert term.raw() == b"x" * 70 + b"loader\r\n" + b"y" * 9 + NEWLINE + b"y"


def test_printing_on_the_graphics_terminal_is_a_crash() -> None:
    term = Terminal()
    term.kind = TermKind.GRAPHICS
    with pytest.raises(Stop) as stop:
        term.write(b"x")
    assert stop.value.outcome is Outcome.CRASH


def test_nobody_presses_a_key() -> None:
    with pytest.raises(Stop) as stop:
        Terminal().getkey(Outcome.MENU, "why")
    assert (stop.value.outcome, stop.value.reason) == (Outcome.MENU, "why")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"vbd 2049 is hd0\r\n\x1b[H\x1b[J\r\n    GNU GRUB  version 0.97", ""),
        (b"menu\x1b[H\x1b[J  Booting 'A'\r\n\r\nroot (hd0)  \r\n", "  Booting 'A'\n\nroot (hd0)"),
        (b"  Booting 'A'\r\n\xff\xc3\xa9\x01\r\n", "  Booting 'A'\n\\xff\u00e9"),
        (
            b"  Booting 'A'\r\nx\r\n\x1b[H\x1b[J\r\n    GNU GRUB  version 0.97 menu\r\n  Booting 'B'\r\ny",
            "  Booting 'A'\nx\n\n  Booting 'B'\ny",
        ),
        (
            b"  Booting 'A'\r\nx\r\n\x1b[H\x1b[J\r\n    GNU GRUB  version 0.97 menu\x1b[H\x1b[J  Booting 'B'\r\ny",
            "  Booting 'A'\nx",
        ),
    ],
)
def test_cleaned_console(raw: bytes, expected: str) -> None:
    assert clean(raw) == expected


# terminfo


def test_cursor_address_of_vt100() -> None:
    assert tparm(b"\x1b[%i%p1%d;%p2%dH", 4, 9) == b"\x1b[5;10H"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"%p1%c%p2%c", b"AB"),
        (b"%%%p1%x", b"%41"),
        (b"%p1%{1}%+%d", b"66"),
        (b"%?%p1%{65}%=%tyes%eno%;!", b"yes!"),
        (b"%?%p1%{66}%=%tyes%eno%;!", b"no!"),
        (b"%'a'%d", b"97"),
        (b"%p1%Pa%ga%ga%*%d", b"4225"),
    ],
)
def test_parameters(text: bytes, expected: bytes) -> None:
    assert tparm(text, 65, 66) == expected


def test_escape_and_unescape() -> None:
    assert unescape(b"\\e[7m\\s\\\\") == b"\x1b[7m \\"
    assert unescape(b"\\033x") == b"3x"
    assert escape(b"\x1b[H a\\") == b"\\e[H\\sa\\\\"
    assert escape(b"") == b"^A"


# a person at the keyboard


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (b"\x1b[A", [16]),
        (b"\x1b[B..", [14, ord("."), ord(".")]),
        (b"\x1b[5~", [7]),
        (b"\x1b[4~", [4, ord("~")]),
        (b"\x1b[", [27, ord("[")]),
        (b"\x1b", [27]),
        (b"\x7f", [8]),
        (b"a\xe9b", [97, 98]),
    ],
)
def test_keys_of_a_vt100(typed: bytes, expected: list[int]) -> None:
    keys = SerialInput(TypedKeys([Key(typed)]))
    assert [keys.getkey(Outcome.MENU, "") for _ in expected] == expected
    with pytest.raises(Stop):
        keys.getkey(Outcome.MENU, "")


HEAD = "timeout 9\n"
TWO = "title A\nroot (hd0)\nkernel /k a\ntitle B\nroot (hd0)\nkernel /k b\n"


def test_any_key_ends_the_timeout_and_the_fallback(boot: Runner) -> None:
    boot.run(HEAD + "fallback 1\n" + TWO, keyboard=typist("x"))
    assert boot.outcome is Outcome.MENU
    assert boot.m.fallback_entryno == -1


def test_cursor_and_return_choose_an_entry(boot: Runner) -> None:
    m = boot.run(HEAD + TWO, keyboard=typist("v", "\n"))
    assert m.booted_entry == 1
    m = boot.run(HEAD + TWO, keyboard=typist("vv^", "\r"))
    assert m.booted_entry == 0


def test_page_keys_scroll_a_long_menu(boot: Runner) -> None:
    menu = HEAD + "".join(f"title {i}\nroot (hd0)\nkernel /k {i}\n" for i in range(40))
    assert boot.run(menu, keyboard=typist(3, 3, "v\n")).booted_entry == 25
    assert boot.run(menu, keyboard=typist(3, 3, 3, 3, 7, "\n")).booted_entry == 27
    assert boot.run(menu, keyboard=typist("v" * 50 + "\n")).booted_entry == 39
    assert boot.run(menu, keyboard=typist("v" * 20 + "^" * 15 + "\n")).booted_entry == 5


def test_escape_shows_a_hidden_menu(boot: Runner) -> None:
    boot.run("hiddenmenu\n" + HEAD + TWO, keyboard=typist(27))
    assert b"GNU GRUB" in boot.m.term.raw()


def test_failed_entry_goes_back_to_the_menu_after_a_key(boot: Runner) -> None:
    m = boot.run(HEAD + "title A\nkernel /k\n" + TWO, keyboard=typist("\n", "x", "v", "\n"))
    assert m.booted_entry == 1


def test_entry_is_edited_and_booted(boot: Runner) -> None:
    keys = ("e", "v", "e", 1, 11, "kernel /k edited\n", "b")
    m = boot.run(HEAD + TWO, keyboard=typist(*keys))
    assert m.handover and m.handover.cmdline == b"edited"
    assert b"Booting command-list" in m.term.raw()


def test_lines_are_opened_and_removed(boot: Runner) -> None:
    keys = ("e", "v", "d", "o", "e", "kernel /k new\n", "b")
    m = boot.run(HEAD + TWO, keyboard=typist(*keys))
    assert m.handover and m.handover.cmdline == b"new"


def test_prompt_runs_commands_and_escape_leaves_it(boot: Runner) -> None:
    m = boot.run(HEAD + TWO, keyboard=typist("c", "root (hd0)\n", "kernel /k typed\n", "initrd /i\n", "boot\n"))
    assert m.handover and m.handover.cmdline == b"typed"
    m = boot.run(HEAD + TWO, keyboard=typist("c", 27, "v\n"))
    assert m.booted_entry == 1


def test_prompt_prints_errors_and_goes_on(boot: Runner) -> None:
    boot.run("", keyboard=typist("nonsense\n", "timeout 1\n", "root (hd7)\n"))
    raw = boot.m.term.raw()
    assert raw.count(b"Error 27: Unrecognized command") == 2
    assert b"Error 21: Selected disk does not exist" in raw


def test_line_editing(boot: Runner) -> None:
    keys = ("kernel /x", 8, "k middle", 1, 6, 5, " end", 2, 2, 2, 2, " a", 21, 25, "\n")
    m = boot.run("", keyboard=typist("root (hd0)\n", *keys, "boot\n"))
    assert m.handover and m.handover.cmdline == b"middle a end"


def test_history(boot: Runner) -> None:
    m = boot.run("", keyboard=typist("root (hd0)\n", "kernel /k h\n", "print x\n", 16, 16, "\n", "boot\n"))
    assert m.handover and m.handover.cmdline == b"h"
    assert m.term.history[0] == b"boot"


def test_tab_completes_commands_devices_and_files(boot: Runner) -> None:
    files = {"/vmlinuz-1": b"good kernel"}
    m = boot.run("", files, keyboard=typist("rooo", 8, "tn\t(hd0)\n", "ker\t/vm\tc\n", "boot\n"))
    assert m.handover and m.handover.cmdline == b"c"
    m = boot.run("", keyboard=typist("root (h\t", 4, 8, ")\n", "root (\t\thd0)\n", "kernel (hd0)/\t"))
    assert b"Possible files are: bad boot i k" in m.term.raw()
    assert m.saved_drive == 0x80


def test_pager_of_the_prompt(boot: Runner) -> None:
    boot.run("", keyboard=typist("help --all\n", "\n", "pager off\n", "help --all\n"))
    assert boot.m.term.raw().count(b"[Hit return to continue]") == 1


def test_password_unlocks_the_menu(boot: Runner) -> None:
    menu = HEAD + "password secret\n" + TWO
    boot.run(menu, keyboard=typist("e"))
    assert b"grubdom edit" not in boot.m.term.raw()
    m = boot.run(menu, keyboard=typist("p", "secret\n", "c", "halt\n"))
    assert boot.outcome is Outcome.HALT
    assert b"*" in m.term.raw()
    assert b"secret" not in m.term.raw()
    boot.run(menu, keyboard=typist("p", "wrong\n", "x", "c"))
    assert b"Failed!" in boot.m.term.raw()
    assert b"grubdom>" not in boot.m.term.raw()
    assert boot.outcome is Outcome.MENU


def test_password_may_load_another_menu(boot: Runner) -> None:
    menu = HEAD + "password x (hd0)/other\n" + TWO
    boot.run(menu, {"/other": b"timeout 0\ntitle O\nhalt\n"}, keyboard=typist("p", "x\n"))
    assert boot.outcome is Outcome.HALT


def test_options_of_a_terminal_that_cannot_be_started_do_not_show(boot: Runner) -> None:
    head = "splashimage /x\nterminal --dumb --no-echo graphics\n" + HEAD
    m = boot.run(head + TWO, keyboard=typist("c", "root (hd0)\n", "terminal graphics\n", "kernel /k q\n", "boot\n"))
    assert m.handover and m.handover.cmdline == b"q"
    assert m.term.raw().count(b"GNU GRUB") == 3
