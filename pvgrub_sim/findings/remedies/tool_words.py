"""Images, filesystems and paths as the tools of a remedy take them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pvgrub_sim.findings.remedies.names import NotPlain, host_word, plain, word
from pvgrub_sim.findings.remedies.steps import Operand, Target
from pvgrub_sim.typed import Final

BOOT_NAMES: Final = "^/(|boot(/[A-Za-z0-9_+][A-Za-z0-9_+.~-]*)*)$"
"""What `btrfs restore` takes out: /boot, and in it names that lead nowhere else."""

PATTERNS: Final = "*?[]"
"""What mtools take for a pattern, which may fit another file."""


def tool_command(words: Iterable[str | Operand], target: Target | None, part: str | None) -> str:
    """A command of a shell. part: the file that the filesystem has been taken out to."""
    return " ".join(_operand(one, target, part) if isinstance(one, Operand) else word_or_option(one) for one in words)


def word_or_option(text: str) -> str:
    """A word that a rule has given a command: options are its own, names of an image are none."""
    return text if re.fullmatch(r"-{1,2}[A-Za-z0-9][A-Za-z0-9=:._-]*", text) else word(text)


def _operand(operand: Operand, target: Target | None, part: str | None) -> str:
    assert target is not None
    if operand is Operand.IMAGE:
        return host_word(target.image)
    assert part is not None
    return part


def ext_device(target: Target) -> str:
    """The filesystem as e2fsprogs take it: an image, or an image with the partition's offset in bytes."""
    if "?" in target.image:
        raise NotPlain(target.image)
    return host_word(target.image if target.number is None else f"{target.image}?offset={target.offset}")


def fat_device(target: Target) -> str:
    """The filesystem as mtools take it."""
    if "@@" in target.image:
        raise NotPlain(target.image)
    return host_word(target.image if target.number is None else f"{target.image}@@{target.offset}")


def fat_path(path: str) -> str:
    """A path as mtools take it, which know patterns even within quotes; raises NotPlain."""
    if any(character in path for character in PATTERNS):
        raise NotPlain(path)
    return word("::" + plain(path))


def debugfs(target: Target, commands: Sequence[str], then: str = "") -> list[str]:
    """Commands for debugfs that change the filesystem."""
    return [f"debugfs -w -f - {ext_device(target)} <<'END'{then}", *commands, "END"]


def put_aside(path: str, aside: str) -> list[str]:
    """Commands of debugfs that take a name away. aside: the name that its file keeps, "" where it goes."""
    # Neither of the two counts links.
    return [f"ln {quoted(path)} {quoted(aside)}", f"unlink {quoted(path)}"] if aside else [f"rm {quoted(path)}"]


def quoted(path: str) -> str:
    """A path as a word of a debugfs command."""
    return f'"{plain(path)}"' if " " in path else plain(path)
