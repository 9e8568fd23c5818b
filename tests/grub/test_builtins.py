"""Commands of entries: what they print and which error they end in."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub import machine
from pvgrub_sim.grub.builtins.screen import fold, help_texts
from pvgrub_sim.grub.builtins.table import Flag, all_builtins
from pvgrub_sim.grub.console import terminal
from pvgrub_sim.grub.file.load import PAGE_SIZE
from pvgrub_sim.model import Outcome
from tests.grub.memory_fs import FIRST_SECTOR, GOOD_KERNEL, Runner, boot
from tests.rounds import ALL

__all__ = ["boot"]

ROOT = Path(__file__).parents[2]


def entry(*lines: str) -> str:
    return "timeout 0\ntitle T\n" + "".join(line + "\n" for line in lines)


def output(boot: Runner) -> str:
    """What the entry printed behind its title."""
    return boot.console.removeprefix("  Booting 'T'\n\n")


def test_every_command_that_may_be_typed_has_a_help_text() -> None:
    usable = {name.decode() for name, command in all_builtins().items() if command.flags & Flag.CMDLINE}
    assert set(help_texts()) == usable


def test_commands_that_are_compiled_out_are_not_in_the_table() -> None:
    absent = (
        "displayapm displaymem embed impsprobe install ioprobe serial setkey setup testload testvbe uppermem "
        "vbeprobe md5crypt quit device"
    )
    assert not {name.encode() for name in absent.split()} & set(all_builtins())


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("root (hd1)", 21),
        ("root (hd8)", 12),
        ("root (fd0)", 21),
        ("root (cd)", 21),
        ("root (nd)", 23),
        ("root hd0", 11),
        ("root (hd0,255)", 11),
        ("rootnoverify (hd8)", 12),
        ("kernel --type=foo /k", 30),
        ("kernel --foo /k", 1),
        ("kernel /missing", 15),
        ("kernel", 1),
        ("initrd /i", 19),
        ("module /i", 20),
        ("modulenounzip /i", 20),
        ("chainloader /k", 13),
        ("chainloader --force +1", 8),
        ("boot", 8),
        ("cat /missing", 15),
        ("cmp /k", 30),
        ("blocklist /missing", 15),
        ("find /k", 15),
        ("geometry (hd1)", 21),
        ("map hd0 (hd1)", 11),
        ("makeactive", 12),
        ("hide (hd0)", 30),
        ("hide (hd0,0)", 5),
        ("unhide (fd0)", 30),
        ("partnew (hd0) 0x83 1 1", 30),
        ("partnew (hd0,0) 256 1 1", 30),
        ("partnew (hd0,0) 0x83 x 1", 23),
        ("partnew (hd0,0) 0x83 1 999999", 18),
        ("parttype (hd0,0) 300", 30),
        ("parttype (hd0,0) 0x83", 5),
        ("savedefault", 15),
        ("savedefault --wait=2", 23),
        ("savedefault fallback", 30),
        ("color foo", 23),
        ("color red/blue foo", 23),
        ("color 7 white/blue", 23),
        ("shade x", 23),
        ("viewport a", 23),
        ("terminal console", 30),
        ("terminal serial", 33),
        ("terminal graphics", 33),
        ("terminal --lines=3 x", 30),
        ("terminfo --name=x", 30),
        ("terminfo --foo", 30),
        ("pager maybe", 30),
        ("bootp", 12),
        ("dhcp", 12),
        ("rarp", 12),
        ("ifconfig", 12),
        ("tftpserver", 30),
        ("tftpserver 1.2.3.256", 30),
        ("read x", 23),
        ("configfile /missing", 15),
        ("timeout 1", 27),
    ],
)
def test_error(boot: Runner, line: str, number: int) -> None:
    boot.run(entry("root (hd0)", line))
    assert boot.errors == [(0, number)]


@pytest.mark.parametrize(
    "line",
    [
        "root (hd0,)",
        "root (hd0)/boot",
        "root (hd0) 2",
        "rootnoverify (hd0,0)",
        "kernel --no-mem-option --type=multiboot /k",
        "cmp /k /bad",
        "foreground fff",
        "background ffffff",
        "border x",
        "shade 1",
        "viewport 1 2",
        "viewport 0 0 80 30",
        "color red/blue",
        "color 0x17 7",
        "color blink-white/black light-gray/blue",
        "tftpserver 1.2.3.4",
        "map (hd0) (fd0)",
        "lock",
        "debug",
        "terminal --dumb",
        "splashimage /x",
        "print",
        "help",
    ],
)
def test_no_error(boot: Runner, line: str) -> None:
    boot.run(entry("root (hd0)", line, "root (hd0)", "kernel /k"))
    assert boot.errors == []
    assert boot.outcome is Outcome.BOOTS


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("halt", Outcome.HALT),
        ("halt --no-apm", Outcome.HALT),
        ("reboot", Outcome.REBOOT),
        ("pause x", Outcome.WAITS),
        ("password x", Outcome.WAITS),
        ("splashimage " + "x" * 257, Outcome.WAITS),
        ("read 0x7fffffff", Outcome.CRASH),
    ],
)
def test_commands_that_end_the_run(boot: Runner, line: str, outcome: Outcome) -> None:
    boot.run(entry(line))
    assert boot.outcome is outcome


def test_graphics_terminal_is_never_started_so_printing_on_it_is_a_crash(boot: Runner) -> None:
    boot.run(entry("splashimage /x", "terminal graphics", "print x"))
    assert boot.outcome is Outcome.CRASH
    boot.run("splashimage /x\nprint x\n" + entry("halt"))
    assert boot.outcome is Outcome.CRASH
    boot.run("splashimage /x\n" + entry("halt"))
    assert boot.outcome is Outcome.HALT


def test_root_prints_the_filesystem_and_without_argument_the_device(boot: Runner) -> None:
    boot.run(entry("root", "root (hd0)", "root", "rootnoverify (hd0)", "rootnoverify", "halt"))
    assert output(boot) == (
        "root\n (nd): Filesystem type is memfs, using whole disk\n"
        "root (hd0)\n Filesystem type is memfs, using whole disk\n"
        "root\n (hd0): Filesystem type is memfs, using whole disk\n"
        "rootnoverify (hd0)\nrootnoverify\n (hd0): Filesystem type is memfs, using whole disk\nhalt"
    )


def test_cat_prints_question_marks_for_what_is_no_text(boot: Runner) -> None:
    boot.run(entry("root (hd0)", "cat /f", "halt"), {"/f": b"a\x01\xc3b\x7f\nz"})
    assert output(boot).endswith("cat /f\na??b?\nzhalt")


def test_cmp_prints_sign_extended_bytes_in_the_64_bit_build(boot: Runner) -> None:
    files = {"/a": b"xy\x80", "/b": b"xz\x01", "/c": b"x"}
    menu = entry("root (hd0)", "cmp /a /b", "cmp /a /c", "halt")
    boot.run(menu, files)
    assert "Differ at the offset 1: 0x79 [/a], 0x7a [/b]\n" in boot.console
    assert "Differ at the offset 2: 0xffffffffffffff80 [/a], 0x1 [/b]\n" in boot.console
    assert "Differ in size: 0x3 [/a], 0x1 [/c]\n" in boot.console
    boot.run(menu, files, arch="i386")
    assert "Differ at the offset 2: 0xffffff80 [/a], 0x1 [/b]\n" in boot.console


def test_printing_without_end_is_a_hang(boot: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ALL:
        # A quarter of what has to be printed else.
        monkeypatch.setattr(machine, "MOST_PRINTED", 4 << 20)
        monkeypatch.setattr(terminal, "RAW_LIMIT", 4 << 20)
    boot.run(entry("root (hd0)", "cat /f"), {"/f": bytes(17 << 20)})
    assert boot.outcome is Outcome.HANG
    assert "prints" in boot.reason


def test_blocklist(boot: Runner) -> None:
    boot.run(entry("root (hd0)", "blocklist /f", "blocklist /g", "blocklist /e", "halt"),
             {"/f": bytes(2048), "/g": bytes(700), "/e": b""})  # fmt: skip
    where = FIRST_SECTOR + 8
    assert f"blocklist /f\n(hd0){where}+4\nblocklist /g\n(hd0){where + 4}+2\n" in output(boot)
    assert output(boot).endswith("blocklist /e\n(hd0)halt")


def test_fstest_tells_of_the_sectors_of_files_only(boot: Runner) -> None:
    boot.run(entry("root (hd0)", "fstest", "kernel /f", "fstest", "kernel /k", "halt"), {"/f": bytes(1100)})
    where = FIRST_SECTOR + 8
    told = f"kernel /f\n[{where},0,10][{where},0,512][{where + 1},0,512][{where + 2},0,76]"
    assert told in output(boot).replace("\n[", "[").replace("kernel /f[", "kernel /f\n[")
    assert "Filesystem tracing is now off" in boot.console


def test_geometry_prints_the_made_up_one(boot: Runner) -> None:
    m = boot.run(entry("geometry (hd0)", "halt"))
    sectors = m.disks[0].size // 512
    assert f"drive 0x80: C/H/S = 65535/255/63, The number of sectors = {sectors}, LBA\n" in boot.console


def test_pager_debug_terminal_and_terminfo_print_their_state(boot: Runner) -> None:
    boot.run(entry("pager", "pager on", "debug", "debug", "terminal", "terminfo", "halt"))
    assert output(boot) == (
        "pager\n Internal pager is now off\npager on\n Internal pager is now on\n"
        "debug\n Debug mode is turned on\ndebug\n Debug mode is turned off\nterminal\nserial\n"
        "terminfo\nname=vt100\ncursor_address=\\e[%i%p1%d;%p2%dH\nclear_screen=\\e[H\\e[J\n"
        "enter_standout_mode=\\e[7m\nexit_standout_mode=\\e[m\nhalt"
    )


def test_help_lists_commands_in_two_columns_and_folds_descriptions(boot: Runner) -> None:
    boot.run(entry("help clear", "help", "help --all", "halt"))
    assert "help clear\nclear: clear\n    Clear the screen\n" in boot.console
    assert "\nbackground RRGGBB                      blocklist FILE\n" in boot.console
    assert "\ncmp FILE1 FILE2 " in boot.console
    lines = fold("word " * 30)
    assert all(len(line) <= 66 for line in lines)
    assert "".join(lines) == "word " * 30


def test_network_commands_find_no_card(boot: Runner) -> None:
    boot.run(entry("tftpserver 1.2.3.4", "ifconfig --address=1.2.3.4"))
    assert output(boot).startswith("tftpserver 1.2.3.4\nNo ethernet card found.\nifconfig")
    assert boot.console.count("No ethernet card found.\n") == 2


def test_initrd_replaces_modules_and_a_module_drops_the_initrd(boot: Runner) -> None:
    m = boot.run(entry("root (hd0)", "kernel /k", "module /i", "initrd /i"))
    assert m.handover and m.handover.module == b"initrd" and not m.handover.multiboot
    m = boot.run(entry("root (hd0)", "kernel /k", "initrd /i", "module /i a b"))
    assert m.handover and m.handover.multiboot
    assert m.handover.module == (
        struct.pack("<IIII", PAGE_SIZE, PAGE_SIZE + 5, 2 * PAGE_SIZE, 0).ljust(PAGE_SIZE, b"\0")
        + b"initrd".ljust(PAGE_SIZE, b"\0")
        + b"/i a b".ljust(PAGE_SIZE, b"\0")
    )


def test_modules_accumulate_over_fallback_entries(boot: Runner) -> None:
    menu = "timeout 0\nfallback 1\n" + "".join(
        f"title {kernel}\nroot (hd0)\nkernel {kernel}\nmodule /i\n" for kernel in ("/bad", "/k")
    )
    m = boot.run(menu)
    assert m.handover and len(m.handover.module) == 5 * PAGE_SIZE


def test_256_modules_end_with_zeros_in_the_first_and_the_257th_does_not_fit(boot: Runner) -> None:
    m = boot.run(entry("root (hd0)", "kernel /k", *["module /i"] * 256))
    assert m.handover and m.handover.module[PAGE_SIZE : PAGE_SIZE + 6] == b"\0\0\0\0rd"
    boot.run(entry("root (hd0)", "kernel /k", *["module /i"] * 257))
    assert boot.errors == [(0, 28)]


def test_command_lines_of_modules_fill_a_buffer(boot: Runner) -> None:
    boot.run(entry("root (hd0)", "kernel /k", *["module /i " + "x" * 1400] * 18))
    assert boot.errors == [(0, 28)]


def test_kernel_reads_whatever_the_file_is_and_keeps_the_line_behind_its_name(boot: Runner) -> None:
    m = boot.run(entry("root (hd0)", "kernel --type=netbsd /k  --type=x 'a b'  c "))
    assert m.handover and m.handover.kernel == GOOD_KERNEL
    assert m.handover.cmdline == b"--type=x 'a b'  c "
    assert m.kernel_path == "/k"


def test_second_kernel_keeps_the_initrd(boot: Runner) -> None:
    m = boot.run(entry("root (hd0)", "kernel /bad", "initrd /i", "kernel /k"))
    assert m.handover and m.handover.module == b"initrd"
    assert m.initrd_path == "/i"


def test_blocklist_file_name(boot: Runner) -> None:
    m = boot.run(entry("root (hd0)", f"kernel {FIRST_SECTOR + 2}+1,11"))
    assert m.booted_entry == 0


def test_find_looks_at_partitions_only(boot: Runner) -> None:
    boot.run(entry("find /k"))
    assert boot.errors == [(0, 15)]
    boot.run(entry("partnew (hd0,1) 0x83 0 150", "partnew (hd0,2) 0x82 0 150", "find /k", "find (hd0)/i", "halt"))
    assert output(boot).endswith("find /k\n (hd0,1)\nfind (hd0)/i\n (hd0,1)\nhalt")


def test_map_overwrites_and_deletes_and_is_full_after_eight(boot: Runner) -> None:
    m = boot.run(entry("map (hd1) (hd0)", "map (hd2) (hd0)", "halt"))
    assert m.bios_drive_map[:2] == [0x8280, 0]
    m = boot.run(entry("map (hd1) (hd0)", "map (hd0) (hd0)", "halt"))
    assert m.bios_drive_map[0] == 0
    boot.run(entry(*(f"map (fd1) (hd{number})" for number in range(8)), "map (hd0) (fd2)"))
    assert boot.errors == [(0, 28)]
