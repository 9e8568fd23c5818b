"""boot() in a child process that may read the named images, and do nothing else: for images of strangers.

The child is a new interpreter. It gets the question as JSON and answers with JSON, which is checked against the types
of a Verdict: nothing that it sends is code to the parent.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from threading import Timer
from types import NoneType
from typing import Any

from pvgrub_sim.confine import limit, restrict
from pvgrub_sim.errors import ImageError, IsolationError, PvgrubSimError, UsageError
from pvgrub_sim.keys import Key
from pvgrub_sim.media import Access
from pvgrub_sim.media.formats.beside import note_referred, referred_files
from pvgrub_sim.media.sources import local_path, shown_source
from pvgrub_sim.model import Verdict
from pvgrub_sim.shapes import of_type
from pvgrub_sim.verdict import boot
from pvgrub_sim.work_folder import work_folder

MEMORY = 1536
"""MiB of address space, of which the interpreter and its libraries take a third before they do anything."""
SECONDS = 120
"""Of processor time."""
WALL = 5
"""How much longer than that a child may be there."""
AFTER_TIMEOUT = 10
"""Seconds that a child has to start, and to say that the time is over, besides those of boot()'s timeout."""
LONGEST_ANSWER = 256 << 20
"""Bytes of a child's answer."""
WATCHED_EVERY = 200
"""Milliseconds between two looks at whether a silent child is there."""
MOST_VALUES = 2_000_000
"""Values in it: each takes some fifty bytes of memory, however short it is."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_CODE = "import sys; sys.path.append(sys.argv[1]); from pvgrub_sim.isolated import answer; answer()"
_PACKAGE = str(Path(__file__).parents[1])
_SYSTEM = ("/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ssl", "/etc/resolv.conf",
           "/etc/hosts", "/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/proc/self")  # fmt: skip
"""What libraries read, and nobody keeps a secret in."""
_FENCED = "permission denied: an isolated run reads the named files alone (--allow-backing DIR lets it read a folder's)"


def boot_isolated(
    image: str | os.PathLike[str],
    *,
    memory_limit: int = MEMORY,
    cpu_limit: int = SECONDS,
    **options: Any,
) -> Verdict:
    """Tell what PV-GRUB would do with a disk image, as boot(), in a child process with limits.

    memory_limit: of the child's address space, in MiB. cpu_limit: of its processor time, in seconds. options: as of
    boot(), all images as paths. Where the kernel has Landlock the child can read the named images and the folders of
    access.allow_backing, and execute, write or connect to nothing; an image that is named by a URL may be fetched.
    Raises IsolationError when the child dies or cannot be started, and what boot() raises. SIGTERM and SIGHUP end the
    child and remove its folder, as long as nobody else has a handler for them, and are then passed on.
    """
    named = _inputs(image, options)
    shown = shown_source(os.fspath(image))
    question = {"image": os.fspath(image), "options": {name: _plain(value) for name, value in options.items()}}
    try:
        with work_folder(Path(gettempdir())) as spool:
            question["fence"] = {"read": named, "write": [str(spool)], "memory": memory_limit, "seconds": cpu_limit}
            seconds = _wall(cpu_limit, options.get("timeout"))
            begun = time.monotonic()
            status, said = _ask(json.dumps(question).encode("ascii"), str(spool), seconds)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise IsolationError(shown, f"no isolated run: {reason}") from None
    if not said.endswith(b"\n") and time.monotonic() - begun >= seconds:
        raise IsolationError(shown, f"the isolated run gave no answer within {seconds:g} seconds")
    try:
        return _verdict(shown, status, said)
    except ImageError as error:
        if error.reason == os.strerror(errno.EACCES).lower() and os.access(error.path, os.R_OK):
            # It is the fence that keeps it out.
            raise ImageError(error.path, _FENCED, error.offset) from None
        raise


def _ask(question: bytes, spool: str, seconds: float) -> tuple[int, bytes]:
    """A child's exit status and what it has answered, after so many seconds at the latest."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, _PACKAGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": spool},
        # What it starts, if it comes to that, ends with it.
        start_new_session=True,
    ) as child:
        assert child.stdin and child.stdout
        alarm = Timer(seconds, _end, [child])
        alarm.daemon = True
        try:
            try:
                _begin(alarm)
                with suppress(BrokenPipeError):
                    child.stdin.write(question)
                    child.stdin.close()
                said = _said(child, child.stdout.fileno())
            finally:
                # One that says more than any verdict is long has no answer. A signal that comes here is the reason why
                # this is done once more.
                _end(child)
        finally:
            _end(child)
            alarm.cancel()
    return child.returncode, said


def _wall(cpu_limit: int, timeout: float | None) -> float:
    """Seconds of wall-clock time that a child has; what is told by its own clock may be stuck."""
    longest = float(cpu_limit * WALL)
    return longest if timeout is None else min(longest, timeout + AFTER_TIMEOUT)


def _begin(alarm: Timer) -> None:
    """Start a thread; raises OSError where there is none to be had."""
    try:
        alarm.start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None


def _said(child: subprocess.Popen[bytes], file: int) -> bytes:
    """What a child says until it ends, even where something that it has left behind could go on."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    parts: list[bytes] = []
    size = 0
    while size < LONGEST_ANSWER:
        if poll.poll(WATCHED_EVERY):
            piece = os.read(file, 1 << 20)
            if not piece:
                break
            parts.append(piece)
            size += len(piece)
        elif os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            # It is gone, and its number still its own.
            break
    return b"".join(parts)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and its group, of which it is the first, as long as nobody else can have its number."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _inputs(image: str | os.PathLike[str], options: Mapping[str, Any]) -> list[str]:
    """Every file and folder that the options name."""
    access: Access = options.get("access") or Access()
    if access.cache is not None:
        # What an image makes of the child must not become what another run believes.
        raise UsageError("an isolated run keeps nothing: no cache goes with it")
    named = [image, *(options.get("disks") or {}).values(), options.get("ami"), access.key, *access.allow_backing]
    try:
        return [local_path(os.fspath(one)) for one in named if one is not None]
    except TypeError:
        raise UsageError("an isolated run takes images and descriptions as paths") from None


def _verdict(image: str, status: int, said: bytes) -> Verdict:
    """The verdict that a child has answered with; raises what it says, or IsolationError."""
    if not said.endswith(b"\n"):
        how = f"was killed by signal {-status}" if status < 0 else "ended before it had an answer"
        raise IsolationError(image, f"the isolated run {how}: it wanted more memory, time or rights than it has")
    try:
        if _values(said) > MOST_VALUES and _values(_TEXT.sub(b"", said)) > MOST_VALUES:
            raise ValueError("it is endless")
        told = json.loads(said)
        if "error" in told:
            raise _error(told["error"])
        verdict: Verdict = of_type(Verdict, told["verdict"])
        note_referred(of_type(tuple[str, ...], told["referred"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IsolationError(image, f"the isolated run gave no answer that makes sense: {error}") from None
    return verdict


def _values(said: bytes) -> int:
    """How many values some JSON has at the most, each of which ends with a comma or opens a list or an object."""
    return sum(map(said.count, (b",", b"[", b"{")))


def _error(told: list[Any]) -> PvgrubSimError:
    """The exception that the child has met: its type by name, and its arguments."""
    name, arguments = told
    kinds: dict[str, type[PvgrubSimError]] = {"UsageError": UsageError, "ImageError": ImageError}
    return kinds[name](*(one if isinstance(one, (int, NoneType)) else str(one) for one in arguments))


# --- in the child


def answer() -> None:
    """Read a question from standard input, answer it on standard output."""
    question = json.load(sys.stdin)
    fence = question["fence"]
    limit(mib=fence["memory"], seconds=fence["seconds"])
    remote = [name for name in fence["read"] if "://" in name or name.startswith(("ebs:", "ami:"))]
    # What lies beside the package is not code of ours.
    packages = [path for path in sys.path if path and path != _PACKAGE]
    code = [sys.prefix, sys.base_prefix, *packages, str(Path(__file__).parent), *_SYSTEM]
    restrict(read=[*code, *fence["read"]], write=fence["write"], network=bool(remote))
    options = question["options"]
    if options.get("access") is not None:
        fields = {**options["access"], "allow_backing": tuple(options["access"]["allow_backing"])}
        options["access"] = Access(**fields)
    if options.get("keys") is not None:
        options["keys"] = [of_type(Key, key) for key in options["keys"]]
    told: dict[str, Any]
    try:
        told = {"verdict": _plain(boot(question["image"], **options)), "referred": _plain(referred_files())}
    except ImageError as error:
        told = {"error": ["ImageError", [error.path, error.reason, error.offset]]}
    except UsageError as error:
        told = {"error": ["UsageError", [str(error)]]}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


# --- values as JSON


def _plain(value: Any) -> Any:
    """A value of the types below as JSON has it: named tuples are objects, bytes are text of their codes."""
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if isinstance(value, (str, int, float, NoneType)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if callable(value):
        return None
    return [_plain(one) for one in value]
