"""Any bytes as menu.lst end in an outcome: no exception, within the step budget, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.builtins.table import all_builtins
from pvgrub_sim.grub.machine import STEP_BUDGET
from pvgrub_sim.grub.menu.config import NEW_HEAPSIZE, ConfigReader
from pvgrub_sim.model import Outcome
from tests.grub.memory_fs import Runner
from tests.rounds import rounds

COMMANDS = sorted(all_builtins())
ARGUMENTS = [
    b"", b"0", b"1 2", b"saved", b"x", b"(hd0)", b"(hd1)", b"(hd0,0)", b"(fd0)", b"(", b"/k", b"/bad", b"/i", b"/d/",
    b"(hd0)/boot/grub/menu.lst", b"0+1", b"--type=linux /k", b"--md5 x", b"graphics", b"--name=x --cursor-address=y",
    b"(hd0,0) 0x83 1 2", b"fallback", b"/k /bad", b"red/blue", b"0x7fffffff", b"99999999999", b"\x1b[H", b"x" * 1600,
]  # fmt: skip
SEPARATORS = [b"\n", b"\r\n", b"\\\n", b"\n\n", b"\0", b"#", b" \n"]

lines = st.builds(
    lambda command, blank, argument, end: command + blank + argument + end,
    st.sampled_from([*COMMANDS, b"title", b"title", b"root", b"kernel", b"unknown"]),
    st.sampled_from([b" ", b"=", b"\t", b"", b" = "]),
    st.sampled_from(ARGUMENTS) | st.binary(max_size=20),
    st.sampled_from([b"\n", b"\n", b"\n", *SEPARATORS]),
)
menus = st.binary(max_size=2000) | st.lists(lines, max_size=30).map(b"".join)
HEADS = [b"", b"timeout 0\n", b"timeout 0\nfallback 1 2 3\ntitle A\nroot (hd0)\n"]


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        yield Runner(patch)


@settings(
    max_examples=rounds(300, otherwise=60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(head=st.sampled_from(HEADS), menu=menus, arch=st.sampled_from(["x86_64", "i386"]))
@example(b"", b"\x1f\x8b\x08" + b"\0" * 20, "x86_64")
@example(b"timeout 0\n", b"title\ntitle\nkernel /k\0\nboot\n", "i386")
def test_any_menu_ends_in_an_outcome(runner: Runner, head: bytes, menu: bytes, arch: str) -> None:
    m = runner.run(head + menu, {"/d": b"1\n"}, arch=arch)
    assert runner.outcome in Outcome
    assert m.steps <= STEP_BUDGET + 1000
    assert runner.outcome is not Outcome.BOOTS or m.booted_entry is not None
    m.term.console()


@settings(
    max_examples=rounds(100, otherwise=20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(default=st.binary(max_size=30), menu=menus)
def test_any_default_file_ends_in_an_outcome(runner: Runner, default: bytes, menu: bytes) -> None:
    runner.run(b"timeout 0\ndefault saved\ntitle A\nsavedefault\n" + menu, {"/boot/grub/default": default})
    assert runner.outcome in Outcome


def plain_lines(data: bytes) -> list[bytes]:
    """get_line_from_config() one byte at a time."""
    found: list[bytes] = []
    line = bytearray()
    literal = comment = False
    for code in data:
        if code == 0x0D:
            continue
        char = 0x20 if code == 0x09 else code
        if literal:
            if char == 0x0A:
                char = 0x20
                del line[-1:]
            literal = False
        if char == 0x5C:
            literal = True
        if comment:
            comment = char != 0x0A
        elif not line:
            comment = char == 0x23
            if char not in b"# \n":
                line.append(char)
        elif char == 0x0A:
            found.append(bytes(line))
            line.clear()
        elif len(line) < NEW_HEAPSIZE:
            line.append(char)
    return [*found, bytes(line)] if line else found


pieces = st.sampled_from([b"\\", b"\n", b"\r", b"\t", b" ", b"#", b"a", b"\0", b"x" * 1499, b"x" * 1500])


@settings(
    max_examples=rounds(500, otherwise=100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.lists(pieces | st.binary(max_size=3), max_size=40).map(b"".join), block=st.integers(1, 50))
def test_large_blocks_give_the_lines_that_single_bytes_give(runner: Runner, data: bytes, block: int) -> None:
    m = runner.run("")
    reader = ConfigReader(m)
    blocks = [data[at : at + block] for at in range(0, len(data), block)]
    reader._blocks = Blocks(blocks)
    assert list(reader) == plain_lines(data)


class Blocks:
    """Stands for a BlockReader."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks

    def read(self) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""


LINE = b"uuid " + b"x" * rounds(1, otherwise=60) + b"\n"
"""As short as in CI there are a million of them, each of which is remembered while memory is watched."""


@pytest.mark.parametrize("pattern", [b"\0", b"\n", b"x", b"\\\n", b"#", b" ", b"\\", LINE])
def test_memory_for_a_large_menu_is_bounded(runner: Runner, pattern: bytes) -> None:
    menu = pattern * ((8 << 20) // len(pattern))
    m = runner.run("", {"/large": menu})
    m.errnum = m.errnum.NONE
    m.current_drive, m.buf_drive = 0x80, -1
    from pvgrub_sim.grub.file.open import grub_open

    grub_open(m, b"(hd0)/large")
    tracemalloc.start()
    try:
        assert all(len(line) <= NEW_HEAPSIZE for line in ConfigReader(m))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
