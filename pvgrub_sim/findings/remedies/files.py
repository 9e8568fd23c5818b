"""Makers of steps that write files: a file anew, another payload, a link, a file at a new path."""

from __future__ import annotations

from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import (
    EXT,
    Advice,
    MakeLink,
    PutFile,
    Remedy,
    Repack,
    Source,
    advice,
    writable,
)
from pvgrub_sim.findings.remedies.volumes import source_of, target_of


def rewrite(place: Place, path: str) -> Remedy:
    """Write a file anew, without holes or unwritten blocks as PV-GRUB sees them."""
    source = source_of(place, path)
    if not writable(source.target):
        told = f"{place.type} cannot be written without being mounted: on the running system, or with {place.device}"
        return advice(f"{told} mounted, write {path} anew without holes (cp --sparse=never)")
    return (PutFile(source.target, source.path, source),)


def repack(place: Place | None, path: str) -> Remedy:
    """Put a kernel with a gzip payload in the place of one."""
    if place is None or place.reader is None or not writable(target_of(place)):
        new = shown_word(f"{path}.gzip")
        return advice(
            "on the running system, or with the image mounted:",
            f"pvgrub-sim repack --payload gzip {shown_word(path)} -o {new}",
            f"mv {new} {shown_word(path)}",
        )
    source = source_of(place, path)
    return (Repack(source.target, source.path, source.size),)


def link(place: Place, path: str, to: str) -> Remedy:
    """Make a symbolic link."""
    if place.type in EXT and place.knows(path):
        return (MakeLink(target_of(place), path, to, dangling(place, path)),)
    return advice(f"with {place.device} mounted at /mnt:", f"ln -s {shown_word(to)} {shown_word('/mnt' + path)}")


def dangling(place: Place, path: str) -> str:
    """Where a symbolic link at a path leads, when nothing is there; "" for anything else."""
    passed = place.links(path)[0]
    name, _, to = passed[0].partition(" -> ") if passed else ("", "", "")
    return to if name == path and place.is_free(path) else ""


def install(place: Place, path: str, content: bytes | Source) -> Remedy:
    """Put a file at a path whose folders may be missing."""
    parts = path.split("/")[1:-1]
    folders = ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    missing = tuple(folder for folder in folders if not place.node(folder))
    target = target_of(place)
    # Where nobody can say what is there, nothing is put in its place.
    if writable(target) and all(map(place.knows, (*folders, path))):
        in_the_way = next((name for name in (*folders, path) if dangling(place, name)), "")
        return (PutFile(target, path, content, missing, place.is_file(path), in_the_way=in_the_way),)
    what = content.decode("utf-8", "backslashreplace") if isinstance(content, bytes) else f"a copy of {content.path}"
    return (Advice((f"with {place.device} mounted at /mnt, as {shown_word('/mnt' + path)}:", *what.splitlines())),)


def replace(place: Place, path: str, content: bytes) -> Remedy:
    """Put other content in the place of a file that is there."""
    return install(place, place.links(path)[1], content)
