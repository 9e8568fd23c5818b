"""What the commands share: printing what a terminal can show, and writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable

from pvgrub_sim import UsageError, one_line
from pvgrub_sim.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

KERNEL_HELP = (
    "a kernel file or its address (https://…, s3://…), or one on a disk image as PV-GRUB reads it: "
    "disk.img:'(hd0)/boot/vmlinuz'"
)
"""Of the argument that examine_kernel() and its like take."""

LONGEST_COMPLAINT = 8192
"""Characters of a message, in which two paths of the greatest length have room."""


def complain(error: object) -> None:
    """One line on standard error, whatever is in the message; of a very long one its beginning and end."""
    text = str(error)
    if "http" in text.lower():
        # Only where there may be an address, for a quick start of everything else.
        from pvgrub_sim import without_secrets

        text = without_secrets(text)
    if len(text) > LONGEST_COMPLAINT:
        half = LONGEST_COMPLAINT // 2
        text = f"{text[:half]} … {text[-half:]}"
    print(f"pvgrub-sim: {one_line(text)}", file=sys.stderr)


def print_json(value: Any) -> None:
    """A value as JSON on standard output."""
    import json

    # A CI runner obeys `##[` anywhere in a line; to a parser the escape is the same text.
    sys.stdout.write(json.dumps(value, indent=2).replace("##", "#\\u0023") + "\n")


OUTPUTS = frozenset({"--output", "--raw", "--script", "--store"})
"""The options that name what is written."""
INPUTS = frozenset({"FILE", "IMAGE", "KERNEL", "SOURCE", "STORE", "DEVICE=IMAGE"})
"""What an argument's metavar is when its value is a file, which is read unless it is one of OUTPUTS."""


def files_of(parser: argparse.ArgumentParser) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where a command's arguments have the files that it writes, and those that it reads."""
    outputs, inputs = [], []
    for action in parser._actions:
        if OUTPUTS.intersection(action.option_strings):
            outputs.append(action.dest)
        elif action.metavar in INPUTS:
            inputs.append(action.dest)
    return tuple(outputs), tuple(inputs)


def keep_named(args: argparse.Namespace) -> None:
    """Make sure that nothing that the arguments name is both read and written; raises UsageError.

    All commands pass here. args.files: as files_of() has it.
    """
    outputs, inputs = args.files
    words: list[str | None] = []
    for dest in inputs:
        value = getattr(args, dest)
        words += value if isinstance(value, list) else [value]
        if dest == "disk":
            words += [word.partition("=")[2] for word in value]
    for dest in outputs:
        keep_inputs(getattr(args, dest), words)


def refuse_addresses(args: argparse.Namespace) -> None:
    """Make sure that no address stands where reports show the word as it is; raises UsageError."""
    for dest, what in (("config", "a path on a disk"), ("ari", "an id")):
        if "://" in (word := getattr(args, dest, None) or ""):
            raise UsageError(f"--{dest} wants {what}, not {word}")


def keep_inputs(path: str | None, inputs: Iterable[str | None]) -> None:
    """Make sure that an output is none of the inputs, whatever its name, and no disk; raises UsageError.

    path: where the output is to go; None and `-` are standard output. inputs: files, or kernels on images
    (`disk.img:(hd0)/boot/vmlinuz`).
    """
    if path is None or path == "-":
        return
    try:
        output = os.stat(path)  # noqa: PTH116  (pathlib would slow down every start)
    except (OSError, ValueError):
        return
    for word in filter(None, inputs):
        path_only = word.removeprefix("file:")
        if any(_same(output, name) for name in (word, path_only, path_only.partition(":(")[0])):
            raise UsageError(f"{path}: is an input ({word}), which is never written to")
    if stat.S_ISBLK(output.st_mode):
        raise UsageError(f"{path}: is a block device, not a place for a file")


def _same(output: os.stat_result, name: str) -> bool:
    """Whether a name leads to the same file, links followed, or to the same device."""
    try:
        other = os.stat(name)  # noqa: PTH116  (pathlib would slow down every start)
    except (OSError, ValueError):
        return False
    both_devices = stat.S_ISBLK(output.st_mode) and stat.S_ISBLK(other.st_mode)
    return os.path.samestat(output, other) or (both_devices and output.st_rdev == other.st_rdev)


def write_file(path: str, data: bytes | bytearray) -> None:
    """Write data to a file, or to standard output when it is called `-`; raises UsageError where that fails.

    The file appears under its name when all of it is written. keep_named() has been asked before; what
    the images referred to (backing files, extents, parents) is known only now, and is not written over either.
    """
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    # Only where it is wanted, for a quick start of everything else.
    import tempfile
    from pathlib import Path

    target = Path(path)
    try:
        _keep_referred(target)
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:  # Ctrl-C as well; it is passed on
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None


def _keep_referred(target: Path) -> None:
    """Raise UsageError where the target is a file that an image has referred to."""
    from pvgrub_sim import referred_files

    if target.exists():
        output = target.stat()
        for name in referred_files():
            if _same(output, name):
                raise UsageError(f"{target}: is an input ({name}), which is never written to")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
