"""The child process of boot_isolated(): the same verdict, and nothing but the named files within its reach."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pvgrub_sim import ImageError, IsolationError, UsageError, boot, boot_isolated, isolated, open_image
from pvgrub_sim.cli import main
from pvgrub_sim.confine import landlock_version
from pvgrub_sim.media import Access
from tests.hostile.conftest import Unpack
from tests.images import unpack_sparse
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
TRY = """
import json, os, socket, subprocess, sys
from pvgrub_sim.confine import restrict
named, other, folder, port = sys.argv[1:]
there = restrict(read=[sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", named], write=[folder])
def can(act):
    try:
        act()
    except (OSError, subprocess.SubprocessError):
        return False
    return True
print(json.dumps({
    "landlock": there,
    "named": can(lambda: open(named).read()),
    "other": can(lambda: open(other).read()),
    "list": can(lambda: os.listdir(os.path.dirname(other))),
    "write the named": can(lambda: open(named, "a")),
    "write another": can(lambda: open(os.path.dirname(other) + "/new", "w")),
    "spool": can(lambda: open(folder + "/new", "w").close()),
    "execute": can(lambda: subprocess.run(["/bin/true"], check=True)),
    "connect": can(lambda: socket.create_connection(("127.0.0.1", int(port)), 5)),
}))
"""


@pytest.mark.parametrize(
    "name", ["images/boots", "images/demo", "hostile/term", "hostile/res-8kernels", "hostile/inj-dq2"]
)
def test_the_verdict_is_the_same(name: str, tmp_path: Path) -> None:
    image = unpack_sparse(next(FIXTURES.glob(f"{name}.img.zst")), tmp_path / "disk.img")
    assert boot_isolated(image) == boot(image)


def test_landlock_leaves_the_named_files_only(tmp_path: Path) -> None:
    named, other, spool = tmp_path / "a" / "named", tmp_path / "b" / "other", tmp_path / "spool"
    for path in (named, other):
        path.parent.mkdir()
        path.write_text("x")
    spool.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [str(named), str(other), str(spool), str(server.getsockname()[1])]
        done = subprocess.run([sys.executable, "-c", TRY, *words], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["named"] and told["spool"]
    if not landlock_version():
        # A kernel without it: the limits of memory and time are all there is, and the function says so.
        assert not told["landlock"]
        return
    assert told["landlock"]
    kept = {"other", "list", "write the named", "write another", "execute"}
    assert not any(told[act] for act in kept)
    assert told["connect"] is (landlock_version() < 4)


def test_too_little_of_everything_is_an_error(hostile: Unpack, capsys: pytest.CaptureFixture[str]) -> None:
    image = hostile("res-gpt128-bigdir.img")
    with pytest.raises(IsolationError, match=f"killed by signal {int(signal.SIGKILL)}") as error:
        boot_isolated(image, cpu_limit=1)
    assert error.value.path == str(image)
    assert main(["boot", "--isolate", "--timeout", "0.2", str(image)]) == 1
    assert "no answer" in capsys.readouterr().out


def test_errors_come_through(tmp_path: Path) -> None:
    missing = tmp_path / "missing.img"
    with pytest.raises(ImageError, match="no such file") as error:
        boot_isolated(missing)
    assert (error.value.path, error.value.offset) == (str(missing), None)
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    with pytest.raises(UsageError, match="unknown architecture"):
        boot_isolated(image, arch="vax")
    disk = open_image(image)
    with pytest.raises(UsageError, match="as paths"):
        boot_isolated(image, disks={"sdb": disk})
    disk.close()


def test_files_that_an_image_names_want_their_folder_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "base.img")
    overlay = tmp_path / "over.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.img", "-F", "raw", overlay)
    assert main(["boot", "--no-project", str(overlay)]) == 0
    assert main(["boot", "--no-project", "--isolate", "--allow-backing", str(tmp_path), str(overlay)]) == 0
    status = main(["boot", "--no-project", "--isolate", str(overlay)])
    told = capsys.readouterr().err
    assert (status, told.count("\n")) == ((2, 1) if landlock_version() else (0, 0))
    if landlock_version():
        assert "base.img: permission denied: an isolated run" in told and "--allow-backing DIR" in told


def test_a_file_by_its_address_is_a_named_file(tmp_path: Path) -> None:
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk a.img")
    assert boot_isolated(f"file://{tmp_path}/disk%20a.img") == boot(image)


def test_other_disks_keys_and_descriptions_are_named_files(tmp_path: Path) -> None:
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    second = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "second.img")
    options = {"disks": {"/dev/sdb": second}, "pvgrub": "xen-4.17", "memory": 512}
    assert boot_isolated(image, **options) == boot(image, **options)


LEFT_BEHIND = """
import os, sys, time
sys.stdin.read()
if os.fork() == 0:
    open(sys.argv[1] + "/left", "w").write(str(os.getpid()))
    time.sleep(600)
while not os.path.exists(sys.argv[1] + "/left") or not os.path.getsize(sys.argv[1] + "/left"):
    time.sleep(0.01)
"""


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that holds the child's output is not waited for."""
    monkeypatch.setattr(isolated, "_CODE", LEFT_BEHIND)
    monkeypatch.setattr(isolated, "_PACKAGE", str(tmp_path))
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    with pytest.raises(IsolationError):
        boot_isolated(image)
    status = Path("/proc") / (tmp_path / "left").read_text() / "stat"
    until = time.monotonic() + 60
    with suppress(FileNotFoundError, ProcessLookupError):
        # Whoever looks after orphans may not have come to it yet.
        while ") Z " not in status.read_text():
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.parametrize(
    "said",
    [b"", b"x", b"[]", b"5", b"null", b"[" * 200_000, b'{"error": 5}', b'{"error": ["OSError", []]}',
     b'{"error": [[], []]}', b'{"verdict": 5}', b'{"verdict": {}}', b"[" + b"[]," * 3_000_000 + b"[]]", b"\xff",
     b'{"verdict": ' + b"9" * 5000 + b"}"],
    ids=["nothing", "x", "list", "number", "null", "deep", "error", "other error", "no name", "no verdict", "no fields",
         "endless", "no UTF-8", "large number"],
)  # fmt: skip
def test_what_a_child_says_is_not_believed(said: bytes) -> None:
    for end in (b"", b"\n"):
        with pytest.raises(IsolationError) as error:
            isolated._verdict("disk.img", 0, said + end)
        assert len(str(error.value)) < 400


def test_each_field_of_an_answer_has_its_type(tmp_path: Path) -> None:
    image = unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "disk.img")
    told = isolated._plain(boot(image))

    def answer(**fields: object) -> bytes:
        return json.dumps({"verdict": told | fields, "referred": []}).encode() + b"\n"

    assert isolated._verdict("", 0, answer()) == boot(image)
    for fields in (
        {"console": 5}, {"entry": "1"}, {"entry": True}, {"entry": 1 << 80}, {"outcome": "odd"}, {"errors": {}},
        {"kernel": {**(told["kernel"] or {"path": "", "size": 0, "crc32": 0, "sha256": ""}), "detail": "x"}},
        {"layout": [5]}, {"transcript": "\u0100"}, {"findings": [{"rule": "x"}]}, {"profile": []},
    ):  # fmt: skip
        with pytest.raises(IsolationError):
            isolated._verdict("", 0, answer(**fields))
    for referred in (5, [5], {}, None):
        said = json.dumps({"verdict": told, "referred": referred}).encode() + b"\n"
        with pytest.raises(IsolationError):
            isolated._verdict("", 0, said)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    return []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("delay", [None, 0.0, 0.05, 0.2])
def test_whoever_is_stopped_leaves_neither_a_folder_nor_a_child(
    number: int, delay: float | None, hostile: Unpack, tmp_path: Path
) -> None:
    """delay: seconds after the child is there; None: as soon as the folder is."""
    spool = tmp_path / "spool"
    spool.mkdir()
    words = [sys.executable, "-m", "pvgrub_sim", "boot", "--isolate", str(hostile("res-gpt128-bigdir.img"))]
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(spool)}
    ) as process:
        until = time.monotonic() + 60
        while not (list(spool.glob(".pvgrub-sim.*")) if delay is None else children(process)):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.001)
        time.sleep(delay or 0)
        left = children(process)
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (128 + number, b"")
    assert list(spool.iterdir()) == []
    # One that was just being started ends by itself, as nobody asks it anything.
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in left):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_who_is_to_outlive_the_terminal_does(hostile: Unpack, tmp_path: Path) -> None:
    """A signal that the caller has said is to be ignored, as nohup does, ends nothing."""
    image = hostile("term.img")
    with subprocess.Popen(
        [
            "sh",
            "-c",
            'trap "" HUP; exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "pvgrub_sim",
            "boot",
            "--isolate",
            str(image),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        while process.poll() is None and not children(process):
            time.sleep(0.001)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 1, 3) and b"term.img" in out


def test_no_cache_is_written_by_an_isolated_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cache goes with it"):
        boot_isolated("http://127.0.0.1:9/disk.img", access=Access(cache=str(tmp_path)))


def test_no_error_tells_what_is_secret_in_an_address() -> None:
    address = "http://user:secret@127.0.0.1:9/disk.img?sig=secret"
    with pytest.raises(IsolationError) as error:
        boot_isolated(address, memory_limit=1)
    assert "secret" not in f"{error.value} {error.value.path}"
