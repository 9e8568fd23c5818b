"""`pvgrub-sim boot` on what is no disk image: one line and exit 2, or a verdict; never a traceback."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.images import unpack_sparse

IMAGES = Path(__file__).parents[2] / "fixtures" / "images"


def simulate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pvgrub_sim", "boot", *map(str, words)], capture_output=True, text=True, check=False
    )


def missing(folder: Path) -> Path:
    return folder / "absent.img"


def empty(folder: Path) -> Path:
    path = folder / "empty.img"
    path.touch()
    return path


def directory(folder: Path) -> Path:
    return folder


def fifo(folder: Path) -> Path:
    path = folder / "pipe.img"
    os.mkfifo(path)
    return path


def dangling(folder: Path) -> Path:
    path = folder / "dangling.img"
    path.symlink_to("nowhere")
    return path


@pytest.mark.parametrize("make", [missing, empty, directory, fifo, dangling])
def test_unreadable_input_is_one_line_and_exit_2(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    done = simulate(path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_an_image_without_read_permission(tmp_path: Path) -> None:
    path = tmp_path / "locked.img"
    path.write_bytes(bytes(4096))
    path.chmod(0)
    if os.geteuid() == 0:
        # Root reads everything: the same program as nobody, which first imports all that it needs as root.
        code = (
            f"import os, sys; sys.path[:0] = {[p for p in sys.path if p]!r}; import pvgrub_sim.cli as c;"
            f"c.main(['boot', '/dev/null/absent']);"
            f"os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(c.main(['boot', 'locked.img']))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    else:
        done = simulate(path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("locked.img: permission denied")
    assert "Traceback" not in done.stderr


def short(folder: Path) -> Path:
    path = folder / "short.img"
    path.write_bytes(b"x" * 100)
    return path


def text_file(folder: Path) -> Path:
    path = folder / "menu.txt"
    path.write_text("title Linux\nroot (hd0)\n" * 100)
    return path


def random_bytes(folder: Path) -> Path:
    path = folder / "random.img"
    path.write_bytes(random.Random(1).randbytes(1 << 20))
    return path


def zeros(folder: Path) -> Path:
    path = folder / "zeros.img"
    path.write_bytes(bytes(1 << 20))
    return path


@pytest.mark.parametrize("make", [short, text_file, random_bytes, zeros])
def test_what_is_no_image_ends_at_the_prompt(make: Callable[[Path], Path], tmp_path: Path) -> None:
    done = simulate(make(tmp_path), "--format", "json")
    assert done.returncode == 1, done.stderr
    assert '"outcome": "prompt"' in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("sixteenths", range(1, 16))
def test_truncated_images_get_a_verdict(sixteenths: int, tmp_path: Path) -> None:
    image = unpack_sparse(IMAGES / "demo.img.zst", tmp_path / "disk.img")
    os.truncate(image, image.stat().st_size * sixteenths // 16)
    done = simulate(image)
    assert done.returncode in (0, 1, 3)
    assert done.stderr == ""
    assert done.stdout


def test_a_sparse_image_of_2_tib_is_never_read_whole(tmp_path: Path) -> None:
    image = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "disk.img")
    os.truncate(image, 2 << 40)
    before = image.stat().st_blocks
    done = simulate(image)
    assert done.returncode == 0, done.stderr
    assert image.stat().st_blocks == before


@pytest.mark.parametrize(
    "words",
    [
        ("--pvgrub", "amazon-9"),
        ("--aki", "aki-00000000"),
        ("--aki", "grub.gz"),
        ("--device", "/dev/null0"),
        ("--disk", "/dev/sdb"),
        ("--disk", "/dev/sda1={image}"),
        ("--aki", "pv-grub-hd0_1.05-x86_64.gz", "--arch", "i386"),
        ("-o", "/nonexistent/report"),
        ("--allow-backing", "/nonexistent"),
        ("--allow-backing", "{image}"),
        ("--bundle-key", "/nonexistent/key.pem"),
    ],
    ids=" ".join,
)
def test_bad_options_are_one_line_and_exit_2(words: tuple[str, ...], tmp_path: Path) -> None:
    image = unpack_sparse(IMAGES / "demo.img.zst", tmp_path / "disk.img")
    done = simulate(image, *(word.replace("{image}", str(image)) for word in words))
    assert done.returncode == 2
    assert done.stderr.startswith("pvgrub-sim: ")
    assert done.stderr.count("\n") == 1


def test_exit_status_tells_default_from_fallback(tmp_path: Path) -> None:
    demo = unpack_sparse(IMAGES / "demo.img.zst", tmp_path / "demo.img")
    boots = unpack_sparse(IMAGES / "boots.img.zst", tmp_path / "boots.img")
    assert simulate(demo).returncode == 3
    assert simulate(demo, "--allow-fallback").returncode == 0
    assert simulate(boots).returncode == 0


def test_the_image_is_only_read(tmp_path: Path) -> None:
    image = unpack_sparse(IMAGES / "demo.img.zst", tmp_path / "demo.img")
    image.chmod(0o444)
    before = (image.stat().st_mtime_ns, image.read_bytes())
    simulate(image)
    assert (image.stat().st_mtime_ns, image.read_bytes()) == before


@pytest.mark.parametrize("name", ["ebs:snap-0123456789abcdef0", "ami:ami-12345678", "http:x", "s3:x", "gs:x"])
def test_a_file_of_that_name_is_the_file(
    name: str, run: Run, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`boot *` in the folder of a stranger asks no service for what a file's name says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(good.read_bytes())
    assert run(["boot", "--no-project", name]) == 0, run.err
    assert run(["scan", name, "--store", "scan.db", "--jobs", "1", "--quiet"]) == 0, run.err
