"""No command writes over what it reads, under whatever name; and JSON of a file that is no kernel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pvgrub_sim.cli import main
from tests.cli.test_kernel import zstd_kernel  # noqa: F401  (a fixture)
from tests.hostile.conftest import Unpack
from tests.tools import run


def hard_link(path: Path) -> Path:
    other = path.with_name("other")
    os.link(path, other)
    return other


def symlink(path: Path) -> Path:
    path.with_name("first").symlink_to(path.name)
    path.with_name("second").symlink_to("first")
    return path.with_name("second")


def detour(path: Path) -> Path:
    return path.parent / ".." / path.parent.name / "." / path.name


ALIASES = (hard_link, symlink, detour, Path)


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.__name__)
@pytest.mark.parametrize("words", [["extract", "{}"], ["repack", "{}"]], ids=lambda words: words[0])
def test_kernels(
    words: list[str],
    alias: Callable[[Path], Path],
    zstd_kernel: Path,  # noqa: F811  (the fixture that is imported)
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = zstd_kernel.read_bytes()
    output = alias(zstd_kernel)
    assert main([*(word.replace("{}", str(zstd_kernel)) for word in words), "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"pvgrub-sim: {output}: is an input ({zstd_kernel}), which is never written to\n"
    assert zstd_kernel.read_bytes() == before and output.read_bytes() == before


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.__name__)
@pytest.mark.parametrize(
    "words",
    [
        ["boot", "{}"],
        ["boot", "{other}", "{}"],
        ["boot", "{other}", "--disk", "sdb={}"],
        ["boot", "{other}", "--ami", "{}"],
        ["boot", "{}", "--format", "html"],
        ["extract", "{}:(hd0)/boot/v"],
        ["repack", "{}:(hd0)/boot/v"],
    ],
    ids=" ".join,
)
def test_images(
    words: list[str], alias: Callable[[Path], Path], hostile: Unpack, capsys: pytest.CaptureFixture[str]
) -> None:
    image, other = hostile("inj-ow-self.img"), hostile("term.img")
    before = image.read_bytes()
    output = alias(image)
    filled = [word.replace("{}", str(image)).replace("{other}", str(other)) for word in words]
    assert main([*filled, "-o", str(output)]) == 2
    assert "which is never written to" in capsys.readouterr().err
    assert image.read_bytes() == before and output.read_bytes() == before


@pytest.mark.parametrize("name", ["random.bin", "term.img"])
def test_any_file_gives_json(name: str, hostile: Unpack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", "--format", "json", str(hostile(name))]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["notes"]) == ("unknown", {})


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, unix_socket, device], ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "words",
    [
        ["boot", "{}"],
        ["boot", "{good}", "--ami", "{}"],
        ["boot", "{good}", "--keys", "{}"],
        ["boot", "{good}", "--disk", "sdb={}"],
        ["aki", "check", "{}"],
        ["kernel", "{}"],
        ["extract", "{}", "-o", "{out}"],
        ["repack", "{}", "-o", "{out}"],
        ["inspect", "{}"],
    ],
    ids=" ".join,
)
def test_what_is_no_file_is_not_read(
    words: list[str], make: Callable[[Path], None], hostile: Unpack, tmp_path: Path
) -> None:
    good, odd, out = hostile("inj-dq2.img"), tmp_path / "odd", tmp_path / "out"
    make(odd)
    places = {"{good}": str(good), "{out}": str(out), "{}": str(odd), "sdb={}": f"sdb={odd}"}
    filled = [places.get(word, word) for word in words]
    # In a process of its own, which a pipe without a writer would hold for ever.
    done = subprocess.run([sys.executable, "-m", "pvgrub_sim", *filled], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"pvgrub-sim: {odd}: ".encode()) and done.stderr.count(b"\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.__name__)
@pytest.mark.parametrize("isolated", [False, True], ids=["boot", "isolated"])
def test_what_an_image_refers_to(
    isolated: bool,
    alias: Callable[[Path], Path],
    hostile: Unpack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base, top = hostile("term.img"), tmp_path / "top.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base.name, "-F", "raw", top)
    before = base.read_bytes()
    output = alias(base)
    words = ["boot", str(top), *(["--isolate", "--allow-backing", str(tmp_path)] if isolated else [])]
    assert main([*words, "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"pvgrub-sim: {output}: is an input ({base}), which is never written to\n"
    assert base.read_bytes() == before and output.read_bytes() == before


def test_an_extent_of_a_vmdk(hostile: Unpack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk, extent = tmp_path / "disk.vmdk", tmp_path / "disk-flat.vmdk"
    run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", hostile("term.img"), disk)
    before = extent.read_bytes()
    assert main(["boot", str(disk), "-o", str(extent)]) == 2
    assert "is an input" in capsys.readouterr().err and extent.read_bytes() == before
    # Once that file has gone, its name is free.
    extent.unlink()
    assert main(["boot", str(hostile("term.img")), "-o", str(extent)]) != 2
    assert extent.is_file()
