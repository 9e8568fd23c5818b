"""Nothing that an image says steers a terminal or a CI runner, whatever prints it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pvgrub_sim import REPORT_FORMATS, boot, one_line, printable
from tests.hostile.conftest import Unpack
from tests.hostile.watch import dangers
from tests.rounds import ALL

pytest_plugins = ["pytester"]

MAIN = [sys.executable, "-m", "pvgrub_sim"]
PRINTING = (
    ["boot", "{}"], ["boot", "--console", "{}"], ["boot", "--no-unpack", "{}"], ["inspect", "--all", "{}"],
    ["ls", "{}", "(hd0)/boot/"], ["ls", "-l", "{}", "(hd0)/boot/"], ["ls", "-l", "--survey", "{}", "(hd0)/boot/"],
    ["ls", "{}", "(hd0)/x\n::error::y\x9b/"], ["boot", "{}\n::error::y\x9b"], ["aki", "recommend", "{}"],
    ["kernel", "{}:(hd0)/boot/\x1b[2J"], ["aki", "show", "\x1b[2J"], ["explain", "\x1b[2J"], ["\x1b[2J\n::error::x"],
    ["fix", "--script", "-", "{}"], ["fix", "--dry-run", "{}"], ["boot", "{}", "--device", "\x1b[2J"],
    ["boot", "{}", "--\u202e"], ["inspect", "--format", "json", "{}"],
)  # fmt: skip


def printed(words: list[str], image: Path) -> subprocess.CompletedProcess[bytes]:
    filled = [word.replace("{}", str(image)) for word in words]
    return subprocess.run([*MAIN, *filled], capture_output=True, check=False)


@pytest.mark.parametrize("words", PRINTING, ids=ascii)
def test_commands(words: list[str], hostile: Unpack) -> None:
    done = printed(words, hostile("term.img"))
    assert b"Traceback" not in done.stderr
    assert done.stdout + done.stderr
    assert dangers(done.stdout + done.stderr) == []


NAMES = ("term.img", "inj-dq2.img", "inj-menu-link.img", "inj-newmenu-name.img")


@pytest.mark.parametrize(
    ("format", "name"),
    # Outside CI each format with the worst image and one of the others.
    [
        (format, name)
        for at, format in enumerate(REPORT_FORMATS)
        for name in (NAMES if ALL else (NAMES[0], NAMES[1 + at % 3]))
    ],
)
def test_reports(name: str, format: str, hostile: Unpack) -> None:
    done = printed(["boot", "{}", "--format", format], hostile(name))
    assert done.stderr == b""
    assert dangers(done.stdout, commands=format == "github") == []
    if format in ("json", "sarif"):
        json.loads(done.stdout)
    elif format == "junit":
        ET.fromstring(done.stdout)


def test_json_means_the_same(hostile: Unpack) -> None:
    image = hostile("term.img")
    console = json.loads(printed(["boot", "{}", "--format", "json"], image).stdout)["console"]
    assert console == boot(image).console
    assert "##[add-mask]" in console


def test_names_are_exact_on_a_pipe_when_asked_for(hostile: Unpack) -> None:
    image = hostile("term.img")
    names = printed(["ls", "-0", "{}", "(hd0)/boot/"], image).stdout.split(b"\0")
    assert b"initrd-\x1b[2J" in names and names[-1] == b""
    assert [name for name in names if b"\n::error::name\xff" in name]


def test_cat_is_exact_on_a_pipe_and_escaped_on_a_terminal(hostile: Unpack) -> None:
    image = hostile("term.img")
    words = ["cat", "{}", "(hd0)/boot/grub/menu.lst"]
    exact = printed(words, image).stdout
    assert b"\n::error::pwned by menu\n##[error]V1\n" in exact and b"\x1b]0;OWNED" in exact
    ours, theirs = pty.openpty()
    with subprocess.Popen([*MAIN, *(word.replace("{}", str(image)) for word in words)], stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            shown += piece
            if not piece:
                break
        assert process.wait() == 0
    os.close(ours)
    assert dangers(shown.replace(b"\r\n", b"\n")) == []
    assert b"x3a:error::pwned by menu" in shown and b"\\x1b]0;OWNED" in shown


@pytest.mark.parametrize("asserted", ["verdict.boots_default", "verdict.boots_default, verdict.console",
                                      "verdict.outcome == 'boots'", "verdict == pvgrub_boot(IMAGE, arch='i386')",
                                      "not verdict.console"])  # fmt: skip
def test_failure_text_of_pytest(asserted: str, hostile: Unpack, pytester: pytest.Pytester) -> None:
    image = hostile("term.img")
    pytester.makepyfile(
        f"""
        IMAGE = {str(image)!r}
        def test_image(pvgrub_boot):
            verdict = pvgrub_boot(IMAGE)
            assert {asserted}
        """
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--color=no")
    done.assert_outcomes(failed=1)
    assert dangers(done.stdout.str().encode("utf-8", "surrogatepass")) == []


def test_each_dangerous_character_is_escaped() -> None:
    bad = [chr(code) for code in range(sys.maxunicode + 1)
           if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp") or chr(code) in
           "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b"]  # fmt: skip
    for char in bad:
        assert one_line(char).isascii() and one_line(char).isprintable(), ascii(char)
        assert printable(char) == (char if char in "\n\t" else one_line(char))


@pytest.mark.parametrize(
    "text", ["::x", " \t\u3000::x", "a\n ::x", "##[x]", "a ###[x]", "##vso[x]y", "\u2003::x::", ":::"]
)
def test_no_runner_obeys(text: str) -> None:
    assert dangers(text.encode())
    assert dangers(printable(text).encode()) == []
    assert dangers(one_line(text).encode()) == []


@pytest.mark.parametrize("text", ["a::b", "title a :: b", "# a [b] ##", "é – “x” …", "C::D\nE: :F", "#[cfg]"])
def test_plain_text_stays(text: str) -> None:
    assert printable(text) == text
