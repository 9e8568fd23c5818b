"""Whatever a command is given: an answer, or one line on standard error and exit status 2; never a traceback."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvgrub_sim import REPORT_FORMATS
from pvgrub_sim.cli import COMMANDS, build_parser, main
from tests.images import unpack_sparse

FIXTURES = Path(__file__).parents[2] / "fixtures"
MENU = "(hd0)/boot/grub/menu.lst"

INPUTS: dict[str, list[str]] = {
    "boot": ["boot", "{}"],
    "boot --disk": ["boot", "{good}", "--disk", "/dev/sdb={}"],
    "boot --ami": ["boot", "{good}", "--ami", "{}"],
    "inspect": ["inspect", "{}"],
    "ls": ["ls", "{}", "(hd0)/boot/"],
    "ls --survey": ["ls", "--survey", "{}", "(hd0)/boot/"],
    "cat": ["cat", "{}", MENU],
    "cat --survey": ["cat", "--survey", "{}", MENU],
    "kernel": ["kernel", "{}"],
    "kernel on an image": ["kernel", "{}:(hd0)/boot/vmlinuz"],
    "extract": ["extract", "{}", "-o", "{out}"],
    "repack": ["repack", "{}", "-o", "{out}"],
    "aki recommend": ["aki", "recommend", "{}", "--region", "eu-west-1"],
    "aki check": ["aki", "check", "{}"],
}
"""Every argument of a command that names a file which is read."""
WITHOUT_INPUT = {"explain", "completion"}


def test_every_command_takes_part() -> None:
    assert {words[0] for words in INPUTS.values()} | WITHOUT_INPUT == set(COMMANDS)
    build_parser()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.img")


class Run:
    """Runs commands and keeps what they say."""

    def __init__(self, good: Path, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self.good, self.folder, self.capture = good, folder, capture
        self.out = self.err = b""

    def __call__(self, words: list[str], path: str | Path = "") -> int:
        """The exit status of a command; {} in its words stands for the path."""
        places = {"{good}": str(self.good), "{out}": str(self.folder / "out"), "{}": str(path)}
        pattern = re.compile("|".join(map(re.escape, places)))
        filled = [pattern.sub(lambda found: places[found[0]], word) for word in words]
        try:
            status = main(filled)
        except SystemExit as done:
            status = int(done.code or 0)
        self.out, self.err = self.capture.readouterr()
        return status

    def refused(self) -> None:
        """Nothing was printed but one line that says what is wrong."""
        assert self.out == b""
        assert self.err.startswith(b"pvgrub-sim: ")
        assert self.err.count(b"\n") == 1 and self.err.endswith(b"\n")
        assert not (self.folder / "out").exists()


@pytest.fixture
def run(good: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(good, tmp_path, capfdbinary)


# --- what cannot be read


def missing(folder: Path) -> str:
    return str(folder / "absent")


def in_no_folder(folder: Path) -> str:
    return str(folder / "absent" / "file")


def below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return str(folder / "file" / "below")


def directory(folder: Path) -> str:
    (folder / "directory").mkdir()
    return str(folder / "directory")


def dangling(folder: Path) -> str:
    (folder / "dangling").symlink_to("nowhere")
    return str(folder / "dangling")


def circle(folder: Path) -> str:
    (folder / "circle").symlink_to("circle")
    return str(folder / "circle")


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


def with_nul(folder: Path) -> str:
    return str(folder / "a\0b")


def too_long(folder: Path) -> str:
    return str(folder / ("x" * 5000))


def no_name(folder: Path) -> str:
    return ""


def line_end(folder: Path) -> str:
    return str(folder / "two\nlines\x1b[31m")


def no_utf8(folder: Path) -> str:
    return os.fsdecode(os.fsencode(folder) + b"/absent\xff")


UNREADABLE = (
    missing, in_no_folder, below_a_file, directory, dangling, circle, pipe, with_nul, too_long, no_name, line_end,
    no_utf8,
)  # fmt: skip
PIPES = {"boot --ami", "aki check"}
"""What may come from a pipe, and waits for it."""


@pytest.mark.parametrize(
    ("command", "make"),
    [(command, make) for command in INPUTS for make in UNREADABLE if make is not pipe or command not in PIPES],
)
def test_what_cannot_be_read_is_one_line_and_status_2(
    command: str, make: Callable[[Path], str], run: Run, tmp_path: Path
) -> None:
    assert run(INPUTS[command], make(tmp_path)) == 2
    run.refused()


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, who can read everything."""
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(65534)
    yield
    os.seteuid(uid)


@pytest.mark.parametrize("command", INPUTS)
def test_without_permission_it_is_one_line_and_status_2(command: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_bytes(bytes(4096))
    # Everything that the command needs is imported now.
    run(INPUTS[command], path)
    (tmp_path / "out").unlink(missing_ok=True)
    for place in (tmp_path, tmp_path.parent, run.good.parent, run.good.parent.parent):
        place.chmod(0o755)
    path.chmod(0)
    with nobody():
        assert run(INPUTS[command], path) == 2
    run.refused()
    assert b"permission denied" in run.err.lower()


# --- what is not what was meant


def empty(good: Path) -> bytes:
    return b""


def one_byte(good: Path) -> bytes:
    return b"x"


def text(good: Path) -> bytes:
    return b"title Linux\nroot (hd0)\nkernel /vmlinuz\n" * 100


def noise(good: Path) -> bytes:
    return random.Random(7).randbytes(300_000)


def zeros(good: Path) -> bytes:
    return bytes(300_000)


def gzipped_noise(good: Path) -> bytes:
    return b"\x1f\x8b\x08\0" + random.Random(7).randbytes(3000)


def elf_magic(good: Path) -> bytes:
    return b"\x7fELF\x02\x01\x01" + random.Random(7).randbytes(3000)


def bzimage_magic(good: Path) -> bytes:
    head = bytearray(random.Random(7).randbytes(3000))
    head[0x1FE:0x200], head[0x202:0x208] = b"\x55\xaa", b"HdrS\x0c\x02"
    return bytes(head)


def json_text(good: Path) -> bytes:
    return b'{"Images": [{"ImageId": 7}]}'


def deep_json(good: Path) -> bytes:
    return b'{"Images":' * 100_000


def big_number(good: Path) -> bytes:
    return b'{"Images": ' + b"9" * 10_000 + b"}"


def cut(good: Path) -> bytes:
    return good.read_bytes()[:1_000_001]


def half_sector(good: Path) -> bytes:
    return good.read_bytes()[:1500]


CONTENTS = (
    empty, one_byte, text, noise, zeros, gzipped_noise, elf_magic, bzimage_magic, json_text, deep_json, big_number,
    cut, half_sector,
)  # fmt: skip
ANSWERS = {
    "boot": {1},
    "boot --disk": {0, 1, 3},
    "boot --ami": set(),
    "inspect": {0},
    "ls": {1},
    "ls --survey": {1},
    "cat": {1},
    "cat --survey": {1},
    "kernel": {1},
    "kernel on an image": set(),
    "extract": set(),
    "repack": set(),
    "aki recommend": {1},
    "aki check": set(),
}
"""What each command may answer besides 2 to a file that is not what it is for."""
READS_ALL = {"ls", "ls --survey", "cat", "cat --survey", "kernel on an image", "inspect", "boot", "aki recommend"}


@pytest.mark.parametrize("make", CONTENTS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", INPUTS)
def test_what_is_not_what_was_meant_is_told_or_refused(
    command: str, make: Callable[[Path], bytes], run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "input"
    path.write_bytes(make(run.good))
    status = run(INPUTS[command], path)
    if status == 2:
        run.refused()
        assert b"input" in run.err
        return
    # An image that is cut short still has its menu; what begins like an ELF file is taken for one.
    by_chance = (make is cut and command in READS_ALL) or (make is elf_magic and command == "extract")
    assert status in ANSWERS[command] | ({0, 1} if by_chance else set())
    assert run.err.count(b"\n") <= 1
    assert run.out or run.err or (tmp_path / "out").exists()
    run.out.decode()


# --- values of options and arguments

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
        ["ls", "x"],
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


# --- standard output that does not take it

LONG = (
    ["boot", "{good}", "--format", "html"], ["inspect", "{good}"], ["cat", "{good}", "(hd0)/boot/vmlinuz"],
    ["ls", "-l", "{good}", "(hd0)/boot/"], ["kernel", "{good}:(hd0)/boot/vmlinuz"], ["aki", "list"],
    ["extract", "{good}:(hd0)/boot/vmlinuz", "-o", "-"], ["explain"], ["completion", "bash"],
)  # fmt: skip


def shell(script: str, words: list[str], good: Path) -> subprocess.CompletedProcess[str]:
    """A shell's script in which "$@" is the command."""
    program = [sys.executable, "-c", "from pvgrub_sim.cli import entry; entry()"]
    filled = [word.replace("{good}", str(good)) for word in words]
    return subprocess.run(["bash", "-c", script, "sh", *program, *filled], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(words: list[str], good: Path) -> None:
    done = shell('"$@" | true; echo "${PIPESTATUS[0]}"', words, good)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_full_disk_is_one_line_and_status_2(words: list[str], good: Path) -> None:
    done = shell('"$@" >/dev/full', words, good)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "no space left on device" in done.stderr


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_closed_standard_streams(words: list[str], good: Path) -> None:
    done = shell('"$@" <&- >&- 2>&-', words, good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = shell('"$@" >&-', words, good)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("words", [["aki", "check", "-"]])
def test_standard_input_that_is_closed_or_nonsense(words: list[str], good: Path) -> None:
    for script in ('"$@" <&-', '"$@" </dev/null', 'echo nonsense | "$@"', 'head -c 1000 /dev/urandom | "$@"'):
        done = shell(script, words, good)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("pvgrub-sim: standard input"), done.stderr
