"""From words to targets: files, folders, patterns, lists, and what lies in a cloud."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pvgrub_sim.errors import UsageError
from pvgrub_sim.fleet.values import Target
from pvgrub_sim.media.sources import in_small_letters, is_own_file, kept_source, local_path, shown_source
from pvgrub_sim.media.sources.meant import meant_by
from pvgrub_sim.typed import BinaryIO
from pvgrub_sim.values import NamedTuple

LONGEST_WORD = 65536
"""Bytes of one line of a list."""
_PATTERN = frozenset("*?[")
_SCHEMES = ("http://", "https://", "s3://", "gs://", "gcs://", "abfs://", "abfss://", "az://", "ebs:", "ami:", "file:")


class _Skipped(NamedTuple):
    """The store and what SQLite keeps beside it: its folder, and the names there."""

    device: int
    inode: int
    names: frozenset[str]


def targets(words: Iterable[str], *, region: str | None = None, leave_out: str | None = None) -> Iterator[Target]:
    """What the words of a scan name, one after the other.

    words: images as boot() takes them, folders, patterns, `@list` (a file with one word a line), `-` (the same from
    standard input), `s3://bucket/prefix/`, `ami:self`. region: of Amazon's, for what does not say. leave_out: a file
    that is no target, whatever folder it lies in: the store. Raises UsageError when a word names nothing.
    """
    skip = _skipped(leave_out) if leave_out is not None else None
    for word in words:
        if word == "-":
            if sys.stdin is None:
                raise UsageError("standard input is closed")
            lines: Iterable[str] = _lines(sys.stdin.buffer, "standard input")
        elif word.startswith("@") and not is_own_file(word):
            lines = _list(word[1:])
        else:
            yield from _targets(word, region, skip)
            continue
        for line in lines:
            yield from _targets(line, region, skip)


def _targets(word: str, region: str | None, skip: _Skipped | None) -> Iterator[Target]:
    word = in_small_letters(word)
    if is_own_file(word):
        yield from _path(word, word, skip)
    elif word.startswith("s3://") and (word.endswith("/") or word.count("/") == 2):
        from pvgrub_sim.fleet.cloud import objects

        yield from objects(word, region)
    elif word == "ami:self":
        from pvgrub_sim.fleet.cloud import own_images

        yield from own_images(region)
    elif word.startswith(_SCHEMES) and not word.startswith("file:"):
        yield _remote(word, region)
    else:
        path = local_path(word)
        if _PATTERN.isdisjoint(path) or os.path.lexists(path):
            yield from _path(path, word, skip)
        else:
            yield from _pattern(path, word, skip)


def _remote(word: str, region: str | None) -> Target:
    """An image that lies elsewhere: what changes with it is known of snapshots, AMIs and objects."""
    if word.startswith(("s3://", "ami:")):
        from pvgrub_sim.fleet.cloud import describe

        return describe(word, region)
    # A snapshot never changes; of a URL nobody knows before it is read.
    fingerprint = word if word.startswith("ebs:") else ""
    return Target(word, shown_source(word), kept_source(word), fingerprint, region or "")


# --- files


def _path(path: str, origin: str, skip: _Skipped | None, name: str | None = None) -> Iterator[Target]:
    try:
        status = os.stat(path)  # noqa: PTH116  (a million of them)
    except (OSError, ValueError) as error:
        reason = meant_by(path) or (getattr(error, "strerror", None) or str(error)).lower()
        shown = shown_source(path)
        yield Target(os.path.abspath(shown), name or shown, shown_source(origin), problem=f"{shown}: {reason}")  # noqa: PTH100  (pathlib would slow down every start)
        return
    if stat.S_ISDIR(status.st_mode):
        found = False
        for target in _folder(path, origin, skip):
            found = True
            yield target
        if not found:
            raise UsageError(f"{path}: no files in it")
    else:
        yield _file(os.path.abspath(path), name or path, origin, status, sniff=False)  # noqa: PTH100  (pathlib would slow down every start)


def _file(source: str, name: str, origin: str, status: os.stat_result, *, sniff: bool) -> Target:
    fingerprint = f"{status.st_size}:{status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else ""
    return Target(source, name, origin, fingerprint, sniff=sniff)


def _folder(top: str, origin: str, skip: _Skipped | None) -> Iterator[Target]:
    """The regular files below a folder, in alphabetical order; links to folders are not followed."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            hidden = _names_skipped(folder, skip)
            with os.scandir(folder) as listed:
                entries = sorted((entry for entry in listed if entry.name not in hidden), key=lambda entry: entry.name)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            name = os.path.relpath(folder, top)
            yield Target(os.path.abspath(folder), name, origin, problem=f"{folder}: {reason}")  # noqa: PTH100  (pathlib would slow down every start)
            continue
        below = []
        base = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118  (pathlib would slow down every start)
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                    continue
                if not entry.is_file():
                    continue
                status = entry.stat()
            except OSError:
                # It is gone meanwhile, or a link that leads nowhere.
                continue
            yield _file(base + entry.name, entry.path[len(top) :].lstrip("/"), origin, status, sniff=True)
        waiting += reversed(below)


def _names_skipped(folder: str, skip: _Skipped | None) -> frozenset[str]:
    if skip is None:
        return frozenset()
    status = os.stat(folder)  # noqa: PTH116  (pathlib would slow down every start)
    return skip.names if (status.st_dev, status.st_ino) == skip[:2] else frozenset()


def _pattern(path: str, origin: str, skip: _Skipped | None) -> Iterator[Target]:
    pattern = Path(path)
    base = Path(pattern.anchor)
    try:
        found = sorted(map(str, base.glob(str(pattern.relative_to(base)))))
    except (ValueError, NotImplementedError, OSError) as error:
        raise UsageError(f"{path}: {str(error).lower()}") from None
    if not found:
        raise UsageError(f"{path}: no file matches")
    for one in found:
        yield from _path(one, origin, skip)


def _skipped(path: str) -> _Skipped | None:
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  (pathlib would slow down every start)
    try:
        status = os.stat(folder)  # noqa: PTH116  (pathlib would slow down every start)
    except OSError:
        return None
    return _Skipped(status.st_dev, status.st_ino, frozenset(name + end for end in ("", "-wal", "-shm", "-journal")))


# --- lists


def _list(path: str) -> Iterator[str]:
    try:
        with Path(path).open("rb") as file:
            yield from _lines(file, path)
    except (OSError, ValueError) as error:
        raise UsageError(f"@{path}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None


def _lines(file: BinaryIO, name: str) -> Iterator[str]:
    """The words of a list: one a line, or, as `find -print0` writes them, with a NUL behind each.

    Empty lines do not count, nor do those that begin with `#`.
    """
    rest = file.read(LONGEST_WORD)
    end = b"\0" if b"\0" in rest else b"\n"
    while rest:
        *words, rest = rest.split(end)
        for word in words:
            yield from _word(word, end)
        piece = file.read(LONGEST_WORD)
        if not piece:
            yield from _word(rest, end)
            return
        rest += piece
        if len(rest) > 2 * LONGEST_WORD:
            raise UsageError(f"{name}: a line is longer than {LONGEST_WORD} bytes: not a list of images")


def _word(raw: bytes, end: bytes) -> Iterator[str]:
    if end == b"\0":
        word = os.fsdecode(raw)
        if word.strip("\n"):
            yield word
        return
    word = os.fsdecode(raw.rstrip(b"\r"))
    if word.strip() and not word.startswith("#"):
        yield word
