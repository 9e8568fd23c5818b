"""Steps in words, for a person who does by hand what is not safe as commands."""

from __future__ import annotations

from pvgrub_sim.findings.remedies.edits import described
from pvgrub_sim.findings.remedies.steps import (
    Advice,
    BootDisk,
    BtrfsBootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    PutFile,
    Repack,
    Run,
    Source,
    Step,
)


def in_words(step: Step) -> list[str]:
    """The step in lines that are not escaped yet."""
    match step:
        case Advice(lines=told):
            return list(told)
        case EditMenu(target=target, path=path, edits=edits, then=then):
            later = [f"then {described(edit)}" for edits in then for edit in edits]
            return [f"with {target.device} mounted, in {target.device}{path}:", *map(described, edits), *later]
        case PutFile(target=target, path=path, content=Source() as source):
            same = source.target == target and source.path == path
            what = "write it anew, without holes: cp --sparse=never" if same else f"a copy of {source.path}"
            return [f"with {target.device} mounted, {target.device}{path}: {what}"]
        case PutFile(target=target, path=path, content=text):
            assert isinstance(text, bytes)
            lines = text.decode("utf-8", "surrogateescape").splitlines()
            return [f"with {target.device} mounted, write {target.device}{path}:", *lines]
        case Repack(target=target, path=path, payload=payload):
            return [
                f"copy {target.device}{path} out of the image under a name of your own, make the same kernel with a",
                f"payload that PV-GRUB unpacks (pvgrub-sim repack --payload {payload}), and put that in its place",
            ]
        case MakeLink(target=target, path=path, to=to):
            return [f"with {target.device} mounted, make the symbolic link {path} -> {to}"]
        case MoveFile(target=target, path=path, new=new):
            return [f"with {target.device} mounted, rename {path} to {new}"]
        case Run(commands=commands):
            return [
                "; ".join(
                    " ".join(word if isinstance(word, str) else word.name for word in words) for words in commands
                )
            ]
        case BootDisk(files=files, edits=edits, partition=partition):
            copied = [f"{source.target.device}{source.path} as {path}" for path, source in files]
            return [
                f"make a disk of its own with ext2{_where(partition)}, attach it first, and copy there:",
                *copied,
                *map(described, edits),
            ]
        case BtrfsBootDisk(target=target, partition=partition):
            return [f"copy /boot of {target.device} to a disk of its own with ext2{_where(partition)}"]


def _where(partition: int | None) -> str:
    place = "" if partition is None else f" in its partition {partition}"
    return f"{place} (mke2fs -t ext2 -L boot)"
