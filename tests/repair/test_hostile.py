"""`fix` and its script on images of bad will and in bad places: nothing runs, nothing is left, nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.cli import main
from tests.findings.cases import Hit
from tests.findings.hostile_names import SHELLS
from tests.repair.generator import kernel
from tests.repair.test_fix import DEMO, fixture
from tests.rounds import ALL
from tests.tools import require, run

NAMES = ("-rf.img", "a b.img", "it's.img", "$(touch P).img", "`touch P`.img", "a\n>P\n.img", 'a".img', "a?b.img",
         "a@@1.img", "a:b.img", "!a.img", "\x1b[2J.img", "pvgrub-sim.work", "n" * 240, "--help", "a;touch P;.img",
         "$HOME.img", "caf\u00e9.img", "\u202egmi.exe", "%s%n.img", "a\\nb.img", "*.img", "~.img", "#.img")  # fmt: skip
SEARCH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])


@pytest.mark.parametrize("name", NAMES)
def test_the_image_and_what_is_written_may_have_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    image.rename(name)
    before = Path(name).read_bytes()
    output = f"o{name}"
    assert main(["fix", "--output", output, "--", name]) == 0
    assert Path(name).read_bytes() == before and boot(output).boots_default
    assert {path.name for path in tmp_path.iterdir()} == {name, output}
    told = capsys.readouterr().out
    assert all(line.isprintable() for line in told.splitlines()), told


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", NAMES)
def test_a_script_takes_names_for_names(name: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    image.rename(name)
    before = Path(name).read_bytes()
    plan = boot(name).plan
    assert plan is not None
    assert all(line.isprintable() for line in plan.script.split("\n"))
    done = subprocess.run(
        [require(shell), "-c", plan.script], env={**os.environ, "PATH": SEARCH}, capture_output=True, check=False
    )
    made = {path.name for path in tmp_path.iterdir()} - {name}
    assert made <= {"pvgrub-sim.work", "pvgrub-sim.work-2"}
    if done.returncode == 0:
        assert boot(name).boots_default
    else:
        assert Path(name).read_bytes() == before, "what does not pass is not begun"


MENU = "default {default}\ntimeout 0\ntitle {title}\nroot (hd0)\nkernel /boot/{kernel} root=/dev/sda1 console=hvc0\n"
INSIDE = ("k$(touch${IFS}P)", "k`touch${IFS}P`", "k';touch${IFS}P;'", 'k";touch${IFS}P;"', "-rf", "!touch", "k@@1",
          "k?offset=1", "k:1", "k\\n", "k#1", "k*", "k[a]", "k%s", "k" * 250, "END", "$(touch P)", "..k")  # fmt: skip


def filesystems_for(number: int, name: str) -> tuple[str, ...]:
    """On which filesystems a name is tried; outside CI on one of them."""
    if set(name) & set('*?:"\\'):
        # FAT does not have such names.
        return ("ext4",)
    return ("ext4", "vfat") if ALL else (("ext4", "vfat")[number % 2],)


@pytest.mark.parametrize(
    ("name", "filesystem"),
    [(name, kind) for number, name in enumerate(INSIDE) for kind in filesystems_for(number, name)],
)
def test_names_on_an_image_are_names(
    name: str, filesystem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    grub = tmp_path / "tree/boot/grub"
    grub.mkdir(parents=True)
    (grub.parent / name).write_bytes(kernel("xz"))
    (grub / "menu.lst").write_text(MENU.format(default=3, title=f"\x1b[2J {name}", kernel=name))
    if filesystem == "ext4":
        run(
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^64bit,^metadata_csum",
            "-L",
            name[:16],
            "-d",
            "tree",
            "disk.img",
            "6M",
        )
    else:
        Path("disk.img").write_bytes(bytes(6 << 20))
        run("mkfs.vfat", "disk.img")
        run("mcopy", "-s", "-i", "disk.img", "tree/boot", "::/")
    shutil.rmtree("tree")
    before = Path("disk.img").read_bytes()
    status = main(["fix", "disk.img", "-o", "out.img"])
    told = capsys.readouterr().out
    assert all(line.isprintable() for line in told.splitlines()), told
    assert status == 1 or boot("out.img").boots_default
    assert Path("out.img").exists() == (status == 0)
    assert Path("disk.img").read_bytes() == before
    plan = boot("disk.img").plan
    assert plan is not None
    for shell in SHELLS if ALL else SHELLS[(INSIDE.index(name) + (filesystem == "vfat")) % 2 :][:1]:
        copy = tmp_path / shell
        copy.mkdir()
        shutil.copy("disk.img", copy)
        assert all(line.isprintable() for line in plan.script.split("\n")), plan.script
        done = subprocess.run(
            [require(shell), "-c", plan.script], cwd=copy, env={**os.environ, "PATH": SEARCH}, capture_output=True,
            check=False,
        )  # fmt: skip
        assert {path.name for path in copy.iterdir()} <= {"disk.img", "pvgrub-sim.work"}
        assert done.returncode or boot(copy / "disk.img").boots_default or not plan.proven
    assert {path.name for path in tmp_path.iterdir()} <= {"disk.img", "out.img", *SHELLS}


def test_another_name_of_the_image_is_no_surprise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    before = image.read_bytes()
    os.link(image, "other.img")
    assert main(["fix", image.name, "--in-place"]) == 2
    assert "another name" in capsys.readouterr().err
    assert image.read_bytes() == before
    Path("other.img").unlink()
    Path("link.img").symlink_to(image.name)
    assert main(["fix", "link.img", "--in-place"]) == 0
    assert Path("link.img").is_symlink() and boot(image.name).boots_default


def test_another_format_comes_out_raw_and_never_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    run("qemu-img", "convert", "-O", "qcow2", image, "disk.qcow2")
    image.unlink()
    before = Path("disk.qcow2").read_bytes()
    assert main(["fix", "disk.qcow2", "--in-place"]) == 2
    assert "no raw image" in capsys.readouterr().err
    assert main(["fix", "disk.qcow2", "-o", "out.img"]) == 0
    assert Path("disk.qcow2").read_bytes() == before
    assert boot("out.img", image_format="raw").boots_default
    assert "raw image" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"disk.qcow2", "out.img"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_whoever_is_stopped_leaves_nothing(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = fixture(DEMO, tmp_path, monkeypatch)
    with image.open("ab") as file:
        for _ in range(24):
            file.write(os.urandom(1 << 20))
    ended = set()
    for delay in (0.0, 0.02, 0.1, 0.3):
        words = [sys.executable, "-m", "pvgrub_sim", "fix", image.name, "-o", "out.img"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until = time.monotonic() + 30
            while not list(tmp_path.glob(".pvgrub-sim.*")) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(delay)
            process.send_signal(number)
            ended.add(process.wait(60))
        assert {path.name for path in tmp_path.iterdir()} <= {image.name, "out.img"}
        Path("out.img").unlink(missing_ok=True)
    # Before the first folder and behind the last one the signal does what it does to any program.
    assert 128 + number in ended and ended <= {0, 128 + number, -number}


def test_a_boot_disk_that_is_there_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(Hit("rules/xfs-v5", "error"), tmp_path, monkeypatch)
    Path("out.img.boot.img").write_text("mine")
    assert main(["fix", image.name, "-o", "out.img"]) == 2
    assert "out.img.boot.img: exists already" in capsys.readouterr().err
    assert Path("out.img.boot.img").read_text() == "mine" and not Path("out.img").exists()


@pytest.mark.parametrize("name", ["$(touch P).img", "`touch P`.img", "a;touch P;.img", "a'.img", "a b.img", "-x.img"])
def test_how_both_are_booted_is_shown_without_a_hostile_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = fixture(Hit("rules/xfs-v5", "error"), tmp_path, monkeypatch)
    main(["fix", image.name, f"--output={name}", "--keep-partial"])
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if line.strip().startswith(("pvgrub-sim boot", "Xen:"))]
    assert len(shown) == 2 and not [line for line in shown if name in line]
    assert "pvgrub-sim boot --pvgrub amazon-1.05 BOOT-DISK --disk /dev/sdf=IMAGE" in shown[0]
