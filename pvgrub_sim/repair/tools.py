"""The public tools that repairs are made with: where they come from, and how they are run."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from pvgrub_sim.errors import RepairError
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "debugfs": "e2fsprogs",
        "dumpe2fs": "e2fsprogs",
        "e2fsck": "e2fsprogs",
        "mke2fs": "e2fsprogs",
        "resize2fs": "e2fsprogs",
        "tune2fs": "e2fsprogs",
        "sfdisk": "fdisk",
        "sgdisk": "gdisk",
        "mcopy": "mtools",
        "mdel": "mtools",
        "mdir": "mtools",
        "mmd": "mtools",
        "mren": "mtools",
        "jfs_fsck": "jfsutils",
        "xfs_repair": "xfsprogs",
        "btrfs": "btrfs-progs",
    }
)
"""Each tool that a repair may run, and the Debian package that has it."""
SYSTEM_FOLDERS: Final = ("/usr/sbin", "/sbin")
"""Where tools are that a user's PATH often lacks."""
LIMIT: Final = 3600
"""Seconds that one tool may take."""
WATCHED_EVERY: Final = 0.2
"""Seconds between two looks at what a tool writes."""
MOST_OUTPUT: Final = 1 << 20
"""Bytes of what a tool prints that are kept."""


class Ran(NamedTuple):
    """A tool that has ended: the command as it was run, its exit status, and what it printed on its two outputs."""

    argv: tuple[str, ...]
    status: int
    output: str
    errors: str


def find_tool(name: str) -> str:
    """The path of a tool; raises RepairError naming the Debian package where it is not installed."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    found = shutil.which(name, path=search)
    if found is None:
        raise RepairError(f"{name} is not installed (Debian package {PACKAGES[name]})", missing=name)
    return found


def missing_tools(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the tools that are not installed."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    return tuple(name for name in names if shutil.which(name, path=search) is None)


class Written(NamedTuple):
    """Where a tool writes files of which an image says how large they are, and how many bytes they may take."""

    folder: Path
    most: int


class Tools:
    """Runs tools in a folder of their own, and remembers what was run. folder: for the files that are on their way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran: list[Ran] = []
        self._files = 0

    def fresh(self, suffix: str = "") -> Path:
        """A name in the folder that nothing has yet."""
        self._files += 1
        return self.folder / f"f{self._files}{suffix}"

    def name_of(self, path: Path) -> str:
        """A file as tools are given it: by its name alone where it is in the folder."""
        return path.name if path.parent == self.folder else str(path)

    def run(
        self,
        *argv: str,
        script: bytes = b"",
        accepted: Sequence[int] = (0,),
        timeout: float = LIMIT,
        writes: Written | None = None,
    ) -> Ran:
        """Run a tool.

        argv: its name and its arguments, each of which is data. script: its standard input. accepted: the exit statuses
        that are no failure. timeout: in seconds. writes: where it writes files, and how much at the most. Raises
        RepairError with the tool's own last words when it is missing, fails, takes too long or writes too much.
        """
        ran = _run(argv, str(self.folder), script, accepted, timeout, writes)
        self.ran.append(ran)
        return ran


def _run(  # noqa: PLR0917  (one place calls it)
    argv: Sequence[str],
    folder: str,
    script: bytes,
    accepted: Sequence[int],
    timeout: float,
    writes: Written | None,
) -> Ran:
    """Run a tool in a folder, without a shell and without a terminal.

    Arguments and errors as for Tools.run().
    """
    path = find_tool(argv[0])
    environment = {
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]),
        "HOME": folder,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # debugfs shows long answers through a pager; mtools refuse geometries that only old BIOSes cared for.
        "DEBUGFS_PAGER": "cat",
        "PAGER": "cat",
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": os.devnull,
    }
    with subprocess.Popen(
        [path, *argv[1:]], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            printed, complained = _ended(process, script, timeout, writes)
        except subprocess.TimeoutExpired:
            process.kill()
            raise RepairError(f"{argv[0]} did not end within {timeout:.0f} s") from None
        except BaseException:  # Ctrl-C as well; it is passed on
            process.kill()
            raise
    output, errors = (text[-MOST_OUTPUT:].decode("utf-8", "backslashreplace") for text in (printed, complained))
    ran = Ran(tuple(argv), process.returncode, output, errors)
    if process.returncode not in accepted:
        words = next((line.strip() for line in reversed(f"{output}\n{errors}".splitlines()) if line.strip()), "silent")
        raise RepairError(f"{argv[0]} ended with {process.returncode}: {words}", ran=ran)
    return ran


def _ended(
    process: subprocess.Popen[bytes], script: bytes, timeout: float, writes: Written | None
) -> tuple[bytes, bytes]:
    """What a tool has printed once it has ended, watched meanwhile; raises RepairError, subprocess.TimeoutExpired."""
    if writes is None:
        return process.communicate(script, timeout=timeout)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (writes.most, writes.most))
    end = time.monotonic() + timeout
    while True:
        try:
            printed = process.communicate(script, timeout=WATCHED_EVERY)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
            # What is to be written to the tool is kept from the first call.
            script = b""
            _check_size(writes)
        else:
            if process.returncode == -signal.SIGXFSZ:
                raise _too_much(writes)
            _check_size(writes)
            return printed


def _check_size(writes: Written) -> None:
    taken = 0
    for folder, _, names in os.walk(writes.folder):
        for name in names:
            with suppress(OSError):
                taken += (Path(folder) / name).lstat().st_blocks * 512
    if taken > writes.most:
        raise _too_much(writes)


def _too_much(writes: Written) -> RepairError:
    return RepairError(f"what comes out of the image is more than {writes.most >> 20} MiB")
