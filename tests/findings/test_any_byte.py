"""Any byte in any command's argument is data: a verdict, and a report in every format."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from pvgrub_sim import REPORT_FORMATS, boot, render_report
from pvgrub_sim.grub.builtins.table import all_builtins
from tests.grub.ext_images import make_ext
from tests.grub.patching import PatchedDisk
from tests.rounds import rounds

ROOM = 1500
PLACEHOLDER = b"#" * (ROOM - 1) + b"\n"
COMMANDS = sorted(all_builtins(), key=bytes.decode)
FORMS = (
    b"(hd0%s)", b"(hd%s)/k", b"(%s)/k", b"(hd0,%s)/k", b"(hd0)%s", b"(hd0)/%s", b"/%s", b"%s", b"x%s y%s", b"--%s=x",
    b"/k root=%s", b"0%s", b"1 %s",
)  # fmt: skip
ODD = (b"\xff", b"\x80", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc2\x9b", b"\xe2\x80\xae", b"\xa0",
       b"\x01", b"\x1b[2J", b"\x7f", b"\x00", b"\x0b", b"'\"`$;")  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = {"boot": {"grub": {"menu.lst": PLACEHOLDER}}, "k": b"no kernel", b"\xff".decode("latin-1"): b"x"}
    return make_ext(tmp_path_factory.mktemp("any-byte") / "disk.img", tree)


@functools.cache
def menu_place(image: Path) -> int:
    """Where the menu lies on the disk, in bytes."""
    return image.read_bytes().index(PLACEHOLDER)


def assert_verdict(image: Path, menu: bytes) -> None:
    """The menu ends in a verdict, and that in a report of every format."""
    verdict = boot(PatchedDisk(image, {menu_place(image): menu.ljust(ROOM - 1, b"#") + b"\n"}))
    for style in REPORT_FORMATS:
        report = render_report([verdict], style)
        assert isinstance(report, str)
        report.encode("utf-8")


@pytest.mark.parametrize("command", COMMANDS, ids=bytes.decode)
def test_any_byte_in_any_argument(command: bytes, image: Path) -> None:
    step = rounds(1, otherwise=3)
    for number, form in list(enumerate(FORMS))[COMMANDS.index(command) % step :: step]:
        # Each form with one of the odd strings, another one with the next command and form.
        odd = ODD[(number + COMMANDS.index(command)) % len(ODD)]
        line = command + b" " + form.replace(b"%s", odd)
        in_head = line + b"\n" if number % 3 == 0 else b""
        assert_verdict(image, b"timeout 0\n" + in_head + b"title A" + odd + b"\n" + line + b"\nkernel /k\n")


@pytest.mark.parametrize("device", [b"(hd0%s)", b"(%s)", b"(hd0,%s)", b"(hd%s,0)", b"(hd0,0%s)"])
def test_every_byte_in_a_device(device: bytes, image: Path) -> None:
    for code in (*range(1, 9), *range(11, 32, 3), *range(0x7F, 0x100, rounds(2, otherwise=20))):
        name = device.replace(b"%s", bytes((code,)))
        assert_verdict(image, b"timeout 0\ntitle A\nroot " + name + b"\nkernel " + name + b"/k root=/dev/sda1\n")
