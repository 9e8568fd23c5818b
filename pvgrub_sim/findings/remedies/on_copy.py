"""Commands for a whole filesystem or table: on a copy that is put in place when it is sound, what was there kept."""

from __future__ import annotations

from collections.abc import Sequence

from pvgrub_sim.findings.remedies.names import host_word
from pvgrub_sim.findings.remedies.steps import Operand, Target, start_of
from pvgrub_sim.findings.remedies.tool_words import tool_command
from pvgrub_sim.typed import Final

BLOCKS: Final = "ibs=4M obs=4k status=none"
"""Reads are large; of what is written each page of zeros is a hole."""
PART: Final = "part.img"
KEPT: Final = "part.orig.img"
LARGEST_FOLDER: Final = 2 << 20
"""KiB that /boot of an image may take: a btrfs of few bytes can say that its files are larger than any disk."""


def take_out(target: Target, part: str) -> list[str]:
    """Copy a volume to a file of its own, its blocks of zeros left out, and find it whole."""
    stretch = f"iflag=skip_bytes,count_bytes skip={target.offset} count={target.size}"
    return [
        f"dd if={host_word(target.image)} of={part} {stretch} conv=sparse {BLOCKS}",
        f'[ "$(stat -c %s {part})" = {target.size} ]',
    ]


def on_copy(commands: Sequence[Sequence[str | Operand]], target: Target, folder: str) -> list[str]:
    """Commands on a copy of a filesystem: it is put in place when e2fsck finds nothing wrong with it any more.

    The image is written last, and what was there stays in the folder. folder: for the copies. Raises NotPlain.
    """
    part, kept = f"{folder}/{PART}", f"{folder}/{KEPT}"
    lines = [f"mkdir -p {folder}", *take_out(target, part)]
    # Whoever pastes twice keeps both: the second one would be of what the first has made.
    lines.append(f"cp --backup=numbered --reflink=auto --sparse=always {part} {kept}")
    lines += [_passing(words, tool_command(words, target, part)) for words in commands]
    if "-n" not in commands[-1]:
        lines.append(f"e2fsck -f -n {part}")
    return [*lines, *_put_back(target, part), f"rm {part}"]


def _passing(words: Sequence[str | Operand], command: str) -> str:
    """A command that may end with 1 where that says that it has mended something: e2fsck, unless it only looks."""
    return f"{{ {command} || [ $? = 1 ]; }}" if words[0] == "e2fsck" and "-n" not in words else command


def _put_back(target: Target, part: str) -> list[str]:
    """Write a volume back: what is no data stays a hole, and what lies behind a smaller one stays as it is."""
    image = host_word(target.image)
    size = f'"$(stat -c %s {part})"'
    hole = f"fallocate -p -o {target.offset} -l {size} {image} 2> /dev/null"
    copy = f"dd if={part} of={image} oflag=seek_bytes seek={target.offset} {BLOCKS}"
    return [
        f"[ {size} -le {target.size} ]",
        # A filesystem of the host without holes gets all blocks written.
        f"{{ {{ {hole} && {copy} conv=notrunc,sparse; }} || {copy} conv=notrunc; }}",
        f"cmp -n {size} -i 0:{target.offset} {part} {image}",
    ]


def keep_table(tool: str, target: Target, folder: str) -> list[str]:
    """Keep the partition table of an image in the folder, as sfdisk or sgdisk writes it down and reads it again."""
    image = host_word(target.image)
    if tool == "sgdisk":
        new, kept = f"{folder}/gpt.new", f"{folder}/gpt.orig"
        dump = f"sgdisk --backup={new} {image}"
    elif tool == "sfdisk":
        new, kept = f"{folder}/table.new", f"{folder}/table.orig"
        dump = f"sfdisk --dump {image} > {new}"
    else:
        return []
    return [f"mkdir -p {folder}", dump, f"mv --backup=numbered {new} {kept}"]


def watched(command: str, folder: str) -> str:
    """A command that writes what an image tells it to, ended when that is too much for one file or all together.

    folder: to which it writes. `ulimit -f` counts KiB in bash and half of that in dash.
    """
    too_much = f"{{ kill $!; echo 'more than {LARGEST_FOLDER >> 20} GiB comes out of the image' >&2; }}"
    look = f'[ "$(du -sk {folder} | cut -f1)" -le {LARGEST_FOLDER} ] || {too_much}'
    limits = f"ulimit -c 0; ulimit -f {LARGEST_FOLDER}"
    return f"{{ ({limits}; exec {command}) & while sleep 0.2; kill -0 $! 2> /dev/null; do {look}; done; wait $!; }}"


def boot_filesystem(disk: str, size: str, partition: int | None, tree: str = "") -> list[str]:
    """Make the ext2 filesystem of a boot disk, and its partition table where it has one.

    disk: a file that is made. size: in KiB, as a word of a shell takes it. tree: a folder that goes into it, or "".
    """
    start = start_of(partition)
    inside = f" -d {tree}" if tree else ""
    make = "mke2fs -q -F -t ext2 -L boot"
    # What an earlier one left there would be a part of the new one.
    if partition is None:
        return [f"rm -f {disk}", f'{make}{inside} {disk} "{size}k"']
    return [
        f"rm -f {disk}",
        f'truncate -s "$(( {size} + {start >> 10} ))K" {disk}',
        rf"printf 'label: dos\n{partition} : start={start // 512}, type=83\n' | sfdisk -q --no-tell-kernel {disk}",
        f'{make}{inside} -E offset={start} {disk} "{size}k"',
    ]
