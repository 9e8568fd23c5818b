"""Too little memory, too few files or processes: a verdict or one line, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim.cli import boot as boot_command
from pvgrub_sim.cli import main
from pvgrub_sim.cli.trouble import complain_of_memory
from tests.media.big_image import write_big_image
from tests.tools import run as tool

LIMITED = """
import resource, sys
name, limit = sys.argv[1:3]
sys.argv[1:3] = []
resource.setrlimit(getattr(resource, name), (int(limit), int(limit)))
from pvgrub_sim.__main__ import start
start()
"""
MEMORY = (80, 96, 117, 128, 140, 156, 200, 300)
"""MiB of address space, from little more than the interpreter takes to enough."""


def limited(name: str, limit: int, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, name, str(limit), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def one_line_or_verdict(done: subprocess.CompletedProcess[str], name: object) -> None:
    if done.returncode == 2:
        assert (done.stdout, done.stderr) == ("", f"pvgrub-sim: {name}: not enough memory\n")
    else:
        assert (done.returncode, done.stderr) == (0, "") and done.stdout


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with big.img.zst and big.img.xz."""
    image = write_big_image(tmp_path_factory.mktemp("packed"), size="128M")
    tool("zstd", "-q", "-1", image)
    tool("xz", "-k", "-0", image)
    return image.parent


@pytest.mark.parametrize("mib", MEMORY)
@pytest.mark.parametrize("ending", ["zst", "xz"])
def test_little_memory_is_a_verdict_or_one_line(ending: str, mib: int, packed: Path) -> None:
    image = packed / f"big.img.{ending}"
    one_line_or_verdict(limited("RLIMIT_AS", mib << 20, "boot", image), image)


@pytest.mark.parametrize(
    "words",
    [["inspect", "{}"], ["ls", "{}", "(hd0)/boot/"], ["kernel", "{}:(hd0)/boot/vmlinuz-3.2.0-virtual"]],
    ids=" ".join,
)
def test_other_commands_say_it_too(words: list[str], packed: Path) -> None:
    filled = [word.replace("{}", str(packed / "big.img.zst")) for word in words]
    one_line_or_verdict(limited("RLIMIT_AS", 90 << 20, *filled), filled[1])


def test_want_of_memory_tells_nothing_secret_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    complain_of_memory("http://user:secret@127.0.0.1/disk.img?sig=secret")
    assert capsys.readouterr().err == "pvgrub-sim: not enough memory\n"


def test_the_other_images_are_still_looked_at(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate = boot_command._simulate

    def starved(image: object, *rest: object) -> object:
        if image == "large.img":
            raise MemoryError
        return simulate(image, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(boot_command, "_simulate", starved)
    assert main(["boot", "large.img", str(good)]) == 2
    told = capsys.readouterr()
    assert told.err == "pvgrub-sim: large.img: not enough memory\n" and str(good) in told.out


@pytest.mark.parametrize("files", [4, 5, 6])
def test_few_files_are_not_called_a_failure_to_write(files: int, good: Path) -> None:
    done = limited("RLIMIT_NOFILE", files, "boot", good)
    assert "cannot write" not in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 0 or (done.returncode == 2 and done.stderr.count("\n") == 1)


@pytest.mark.parametrize("error", [BlockingIOError(11, "Resource temporarily unavailable"), RuntimeError("no thread")])
def test_no_process_for_an_isolated_run_is_one_line(
    error: Exception, good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise error

    where = "subprocess.Popen" if isinstance(error, OSError) else "Timer.start"
    monkeypatch.setattr(f"pvgrub_sim.isolated.{where}", refuse)
    assert main(["boot", "--isolate", str(good)]) == 2
    assert capsys.readouterr().err == f"pvgrub-sim: {good}: no isolated run: resource temporarily unavailable\n"
