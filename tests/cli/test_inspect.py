"""`inspect`, `ls` and `cat`: the tree, what PV-GRUB sees against what is there, and bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim.cli import main
from tests.images import unpack_sparse
from tests.tools import run

DISKS = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"
MIB = 1 << 20


@pytest.fixture(scope="module")
def logical(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A menu, a kernel and an initrd on the second logical partition."""
    return str(unpack_sparse(DISKS / "layout-logical6.img.zst", tmp_path_factory.mktemp("disk") / "disk.img"))


def test_tree_shows_partitions_filesystem_and_boot_files(logical: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", logical]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{logical}: 24 MiB, MBR 0x12345678"
    assert any("(hd0,5) partition 6, (logical), 0x83, Linux, 2 MiB at 6356992" in line for line in lines)
    filesystem = "ext2, UUID 11111111-2222-3333-4444-555555555555, 2 MiB, blocks of 1024, clean"
    assert any(filesystem in line for line in lines)
    kernel = "/boot/vmlinuz, kernel, 1286 bytes, format bzImage, protocol 2.12, payload gzip"
    assert any(kernel in line for line in lines)


def test_json_is_the_survey(logical: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--format", "json", logical]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format_version"], found["image"], found["table"]["kind"]) == (1, logical, "mbr")
    (volume,) = (one for one in found["partitions"] if one["grub"] == "(hd0,5)")
    assert [file["path"] for file in volume["contents"][0]["files"]] == [
        "/boot/initrd.img", "/boot/vmlinuz", "/boot/grub/menu.lst",
    ]  # fmt: skip


def test_names_from_the_image_cannot_drive_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tree" / "boot"
    folder.mkdir(parents=True)
    (folder / "vmlinuz-\x1b[31m\n").write_text("k")
    image = tmp_path / "image"
    run("mke2fs", "-q", "-F", "-d", folder.parent, image, "4M")
    assert main(["inspect", str(image)]) == 0
    out = capsys.readouterr().out
    assert "vmlinuz-\\x1b[31m\\n" in out
    assert "\x1b" not in out


def test_the_tree_is_drawn_in_any_encoding(logical: str) -> None:
    for encoding in ("latin-1", "ascii", "utf-8"):
        done = subprocess.run(
            [sys.executable, "-c", "from pvgrub_sim.cli import entry; entry()", "inspect", logical],
            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            capture_output=True,
            check=True,
        )
        assert ("├─" if encoding == "utf-8" else "|-") in done.stdout.decode(encoding)


@pytest.mark.parametrize("survey", [[], ["--survey"]], ids=["machine", "survey"])
def test_ls_and_cat_read_the_same_menu(
    survey: list[str], logical: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["ls", *survey, logical, "(hd0,5)/boot/"]) == 0
    assert set(capfdbinary.readouterr().out.split()) == {b"grub", b"initrd.img", b"vmlinuz"}
    assert main(["cat", *survey, logical, "(hd0,5)/boot/grub/menu.lst"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"default 0\ntimeout 0\ntitle entry0\n\troot (hd0,5)\n")


def test_ls_of_a_file_and_long_listing(logical: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["ls", "-l", logical, "(hd0,5)/boot"]) == 0
    assert sorted(line.split() for line in capfdbinary.readouterr().out.splitlines()) == [
        [b"-", b"grub/"], [b"1286", b"vmlinuz"], [b"3006", b"initrd.img"],
    ]  # fmt: skip
    assert main(["ls", "-l", logical, "(hd0,5)/boot/vmlinuz"]) == 0
    assert capfdbinary.readouterr().out.split() == [b"1286", b"vmlinuz"]


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mkfs.ext4 makes today (64bit): PV-GRUB cannot read a file of it."""
    folder = tmp_path_factory.mktemp("today")
    (folder / "tree" / "boot").mkdir(parents=True)
    (folder / "tree" / "boot" / "a name").write_text("spaced")
    (folder / "tree" / "boot" / "file").write_text("plain")
    image = folder / "image"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "64bit", "-d", folder / "tree", image, "16M")
    return str(image)


def test_what_pv_grub_cannot_read_the_survey_can(today: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["cat", today, "(hd0)/boot/file"]) == 1
    captured = capfdbinary.readouterr()
    assert captured.out == b""
    assert b"Error 14: Filesystem compatibility error, cannot read whole file" in captured.err
    assert main(["cat", "--survey", today, "(hd0)/boot/file"]) == 0
    assert capfdbinary.readouterr().out == b"plain"
    assert main(["ls", "--survey", "-l", today, "(hd0)/boot/"]) == 0
    assert capfdbinary.readouterr().out == b"-            6  a name\n-            5  file\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["cat", "(hd0,5)/nowhere"], 1, "Error 15: File not found"),
        (["cat", "(hd0,7)/boot/grub/menu.lst"], 1, "Error 17: Cannot mount selected partition"),
        (["cat", "(hd0,9)/x"], 1, "Error 22: No such partition"),
        (["ls", "(hd0,5)/boot/vmlinuz/"], 1, "Error 2: Bad file or directory type"),
        (["cat", "boot"], 2, "is no name that PV-GRUB knows"),
        (["cat", "--survey", "boot"], 2, "is no name of a file on this disk"),
        (["cat", "--survey", "(hd0,5)/boot"], 1, "not a regular file"),
        (["cat", "--survey", "(hd0,5)/nowhere"], 1, "no such file"),
        (["cat", "--survey", "(hd0,9)/boot"], 1, "no filesystem that the survey reads is on (hd0,9)"),
        (["cat", "--pvgrub", "amazon-9", "(hd0)/x"], 2, "no PV-GRUB version called"),
        (["cat", "--aki", "aki-00000000", "(hd0)/x"], 2, "not in the catalogue"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(
    words: list[str], status: int, said: str, logical: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command, *rest = words
    assert main([command, *rest[:-1], logical, rest[-1]]) == status
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize("command", [["inspect"], ["ls"], ["cat"]], ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["missing", "empty", "folder"])
def test_what_is_no_image_is_one_line_and_status_2(
    command: list[str], name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name != "missing":
        path.touch()
    assert main([*command, str(path), *(["(hd0)/x"] if command != ["inspect"] else [])]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(path) in captured.err


@pytest.mark.parametrize("content", [b"not a disk\n" * 1000, bytes(70_000), b"x"], ids=["text", "zeros", "byte"])
def test_what_is_no_disk_is_inspected(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) == 0
    assert "nothing known" in capsys.readouterr().out
