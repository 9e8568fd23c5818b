"""Options, arguments and names that make no sense, or only look so: one line and exit status 2, or an answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pvgrub_sim import REPORT_FORMATS
from tests.cli.running import MENU, Run

BAD_WORDS = (
    ["boot", "{good}", "--pvgrub", "amazon-9"],
    ["boot", "{good}", "--pvgrub", ""],
    ["boot", "{good}", "--pvgrub", "a\nb"],
    ["boot", "{good}", "--aki", "aki-"],
    ["boot", "{good}", "--aki", "\udcff"],
    ["boot", "{good}", "--aki", "pv-grub-hd0_9.99-x86_64.gz"],
    ["boot", "{good}", "--aki", "aki-176bf516", "--arch", "i386"],
    ["boot", "{good}", "--device", ""],
    ["boot", "{good}", "--device", "/dev/"],
    ["boot", "{good}", "--device", "sda99"],
    ["boot", "{good}", "--device", "/dev/sdzz"],
    ["boot", "{good}", "--device", "٣"],
    ["boot", "{good}", "--device", "9" * 5000],
    ["boot", "{good}", "--disk", ""],
    ["boot", "{good}", "--disk", "="],
    ["boot", "{good}", "--disk", "sdb="],
    ["boot", "{good}", "--disk", "=x"],
    ["boot", "{good}", "--disk", "sdb"],
    ["boot", "{good}", "--disk", "sda1={good}"],
    ["boot", "{good}", "--disk", "sdb={good}", "--disk", "/dev/sdb={good}"],
    ["boot", "{good}", "-o", "{dir}"],
    ["boot", "{good}", "-o", "{dir}/absent/report"],
    ["boot", "{good}", "-o", "{good}/below"],
    ["boot", "{good}", "-o", ""],
    ["boot", "{good}", "-o", "a\0b"],
    ["boot", "{good}", "-o", "/dev/full"],
    ["boot", "{dir}/*.img"],
    ["boot", "*\0"],
    ["boot", "/**[", "x"],
    ["ls", "{good}", ""],
    ["ls", "{good}", "boot"],
    ["ls", "{good}", "hd0)/boot"],
    ["ls", "--survey", "{good}", "(hd1)/boot"],
    ["ls", "--survey", "{good}", "(hd0)"],
    ["ls", "--survey", "{good}", "(hd0," + "9" * 5000 + ")/boot"],
    ["cat", "--pvgrub", "xen", "{good}", MENU],
    ["cat", "--aki", "aki-176bf516", "--arch", "i386", "{good}", MENU],
    ["cat", "--aki", "", "--survey", "{good}", "nonsense"],
    ["kernel", "{good}:(hd0)/boot/absent"],
    ["kernel", "{good}:(hd9)/boot/vmlinuz"],
    ["kernel", "{good}:(hd0"],
    ["kernel", "{good}:(hd0)"],
    ["kernel", "{good}:(hd0)/boot/vmlinuz", "--pvgrub", "xen-1"],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", "{dir}"],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", "a\0b"],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", ""],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", "/dev/full"],
    ["extract", "{good}:(hd0)/boot/initrd.img", "-o", "{out}"],
    ["repack", "{good}:(hd0)/boot/vmlinuz", "-o", "{dir}"],
    ["repack", "{good}:(hd0)/boot/vmlinuz", "-o", "{good}/below"],
    ["repack", "{good}:(hd0)/boot/vmlinuz", "--pvgrub", "?", "-o", "{out}"],
    ["aki", "list", "--region", ""],
    ["aki", "list", "--region", "eu-west-1\n"],
    ["aki", "list", "--version", "one"],
    ["aki", "list", "--version", ""],
    ["aki", "show", ""],
    ["aki", "show", "aki-\udcff"],
    ["aki", "recommend", "{good}", "--region", ""],
    ["aki", "upgrade", "aki-176bf516", "--region", "ap-northeast-1", "--instance", ""],
    ["aki", "upgrade", "", "--region", "ap-northeast-1", "--instance", "i-01234567"],
    ["aki", "upgrade", "pv-grub-hd0_9.99-i386.gz", "--region", "ap-northeast-1", "--instance", "i-01234567"],
    ["explain", "no such rule"],
    ["explain", ""],
    ["explain", "\udcff\n"],
)


@pytest.mark.parametrize("words", BAD_WORDS, ids=lambda words: ascii(" ".join(words))[1:60])
def test_bad_values_are_one_line_and_status_2(words: list[str], run: Run, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    assert run([word.replace("{dir}", str(tmp_path / "dir")) for word in words]) == 2
    run.refused()
    assert list((tmp_path / "dir").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["--nonsense"],
        ["boot"],
        ["boot", "x", "--arch", "mips"],
        ["boot", "x", "--format", "yaml"],
        ["boot", "x", "--aki", "aki-176bf516", "--pvgrub", "xen-4.17"],
        ["boot", "x", "--device"],
        ["inspect"],
        ["inspect", "a", "b"],
        ["ls"],
        ["cat", "x", "y", "--long"],
        ["kernel", "x", "--format", "xml"],
        ["extract", "x"],
        ["repack", "x"],
        ["repack", "x", "--payload", "lzma", "-o", "y"],
        ["aki"],
        ["aki", "nonsense"],
        ["aki", "list", "--arch", "arm"],
        ["aki", "upgrade", "x"],
        ["completion"],
        ["completion", "cmd"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_the_usage_and_one_line(words: list[str], run: Run) -> None:
    assert run(words) == 2
    assert run.out == b""
    *usage, line = run.err.decode().splitlines()
    assert usage[0].startswith("usage: pvgrub-sim")
    assert all(one.startswith(" ") for one in usage[1:])
    assert ": error: " in line


NAMES = (
    "/", "//", "/boot", "(", "(hd", "(hd0", "(hd0)", "(hd0)/", "(hd0)//", "(hd0)/boot", "(hd9)/boot", "(hd0,0)/boot",
    "(hd0,99)/boot", "(hd0,a)/boot", "(hd0,0,a)/", "(hd99999999999)/", "(hd-1)/", "(fd0)/boot", "(nd)/boot", "(cd)/",
    "(hd0)0+1", "(hd0)+1", "(hd0)0+99999999", "(hd0)1+", "(hd0)/boot/grub/../grub/menu.lst", "(hd0)/\0", "(hd0)/a\nb",
    "(hd0)/\udcff", "(hd0)/boot/grub/menu.lst/", "(hd0)/boot/vmlinuz/x", "(hd0)/" + "x" * 300, "(hd0)/" + "x/" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[1:40])
@pytest.mark.parametrize("command", [["ls"], ["ls", "-l"], ["cat"], ["ls", "-l", "--survey"], ["cat", "--survey"]])
def test_any_name_is_read_or_refused(command: list[str], name: str, run: Run) -> None:
    status = run([*command, "{good}", name])
    assert status in (0, 1, 2)
    assert run.err.count(b"\n") == (1 if status else 0)
    assert status != 2 or run.out == b""


@pytest.mark.parametrize("path", ["", "x", "(hd0)/absent", "(hd9)/x", "\udcff", "(hd0)/" + "x" * 5000, "(hd0)/\n\x1b"])
def test_any_config_path_gets_a_verdict(path: str, run: Run) -> None:
    for form in REPORT_FORMATS:
        assert run(["boot", "{good}", "--config", path, "--format", form]) == 1
        assert run.err == b""
        assert run.out.decode()


# --- odd names of files that are fine


ODD_NAMES = [b"white space.img", b"caf\xc3\xa9.img", b"caf\xe9.img", b"a\nb\x1b[31m.img", b"-dash.img", b"a:(hd0).img"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_images_with_odd_names_are_read(name: bytes, run: Run, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    os.link(run.good, path)
    for form in REPORT_FORMATS:
        assert run(["boot", "--format", form, "{}"], path) == 0, run.err
        assert run.out.decode() and b"\x1b" not in run.out
    for words in (["inspect", "{}"], ["inspect", "--format", "json", "{}"], ["aki", "recommend", "{}"]):
        assert run(words, path) == 0
        assert run.out.decode() and b"\x1b" not in run.out
    assert run(["cat", "{}", MENU], path) == 0
    assert run.out.startswith(b"default")
    if b":(" not in name:
        assert run(["kernel", "{}:(hd0)/boot/vmlinuz"], path) == 0
        assert run.out.decode() and b"\x1b" not in run.out


def test_reports_go_to_files_with_odd_names(run: Run, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n")
    assert run(["boot", "{good}", "-o", path]) == 0
    assert (run.out, run.err) == (b"", b"")
    assert Path(path).read_text(encoding="utf-8").startswith(str(run.good))
