"""Where a mended image goes: what must not be written over, whole or not at all, and nothing left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pvgrub_sim.errors import RepairError, UsageError
from pvgrub_sim.media.sources import shown_source
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.work_folder import undisturbed, work_folder


class Target(NamedTuple):
    """Where the mended image goes. path: None where it is only tried. in_place: over the image itself."""

    path: Path | None
    in_place: bool = False


class Made(NamedTuple):
    """What was made: the copy, the boot disk that comes first or None; changed: the copy is not as the image was."""

    copy: Path
    boot_disk: Path | None
    changed: bool


@contextmanager
def repair_folder(home: Path) -> Iterator[Path]:
    """A work_folder() for a repair, where whatever the system refuses is a RepairError."""
    try:
        with work_folder(home) as folder:
            yield folder
    except OSError as error:
        raise RepairError(f"{home}: {(error.strerror or str(error)).lower()}") from None


def check_target(image: str, target: Target) -> None:
    """Refuse a target that would be written over by mistake; raises UsageError."""
    source = Path(image)
    image = shown_source(image)
    if target.in_place:
        if not source.is_file():
            raise UsageError(f"{image}: only a regular file is mended in place")
        if source.stat().st_nlink > 1:
            raise UsageError(f"{image}: has another name, which would keep the image as it was: give a name with -o")
        if not os.access(source, os.W_OK):
            raise UsageError(f"{image}: may not be written")
    elif target.path is not None:
        if os.path.lexists(target.path) and source.exists() and _same(target.path, source):
            raise UsageError(f"{target.path}: is the image itself (--in-place mends that)")
        _is_free(target.path)
        if not target.path.absolute().parent.is_dir():
            raise UsageError(f"{target.path}: no such folder")


def deliver(made: Made, target: Target, image: str) -> tuple[str, ...]:
    """Give what was made its names, whole or not at all; returns those. Raises RepairError, UsageError."""
    # A link to the image stays one: what it leads to is what is mended.
    goal = Path(image).resolve() if target.in_place else target.path
    if goal is None or (not made.changed and target.in_place):
        return ()
    names = [image if target.in_place else str(goal)]
    for file in (made.copy, made.boot_disk):
        if file is not None:
            _like(image, file, owner=target.in_place)
    beside = boot_disk_beside(goal)
    if made.boot_disk is not None:
        _is_free(beside)
    try:
        with undisturbed():
            if made.boot_disk is not None:
                _rename_new(made.boot_disk, beside)
                names.append(str(beside))
            try:
                made.copy.replace(goal) if target.in_place else _rename_new(made.copy, goal)
            except BaseException:  # Ctrl-C as well; it is passed on
                if made.boot_disk is not None:
                    beside.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RepairError(f"{goal}: {(error.strerror or str(error)).lower()}") from None
    return tuple(names)


def boot_disk_beside(goal: Path) -> Path:
    """The name of the boot disk that belongs to a mended image."""
    return goal.with_name(f"{goal.name}.boot.img")


def _is_free(path: Path) -> None:
    if os.path.lexists(path):
        raise UsageError(f"{path}: exists already")


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _like(image: str, file: Path, *, owner: bool) -> None:
    """Give a file the image's mode, its owner too where that is asked for, and bring it to the disk."""
    status = Path(image).stat() if Path(image).is_file() else None
    if owner and status is not None:
        with suppress(PermissionError):
            os.chown(file, status.st_uid, status.st_gid)
    file.chmod(stat.S_IMODE(status.st_mode) & 0o7777 if status else 0o644)
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _rename_new(source: Path, goal: Path) -> None:
    """Rename to a name that nobody has taken meanwhile."""
    try:
        os.link(source, goal)
    except FileExistsError:
        raise
    except OSError:
        # A filesystem without links: the name is taken first, and what holds it is ours.
        os.close(os.open(goal, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            source.replace(goal)
        except BaseException:  # Ctrl-C as well; it is passed on
            goal.unlink()
            raise
    else:
        source.unlink()
