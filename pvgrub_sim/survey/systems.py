"""The operating system on a filesystem, the kernels that it has modules for, and what its initrds hold."""

from __future__ import annotations

import re

from pvgrub_sim.survey.area import Damaged, path_of
from pvgrub_sim.survey.result import BootFile, Content, FileKind
from pvgrub_sim.survey.tree import NodeType, Reader, content, find, head, names_of
from pvgrub_sim.typed import Any, Final

OS_RELEASE: Final = (b"/etc/os-release", b"/usr/lib/os-release")
"""os-release(5): the first of them counts."""
OLDER: Final = (b"/etc/redhat-release", b"/etc/system-release", b"/etc/SuSE-release", b"/etc/gentoo-release")
"""One line each, from before os-release."""
MODULES: Final = (b"/lib/modules", b"/usr/lib/modules")
MOST_TEXT: Final = 16 << 10
MOST_RELEASES: Final = 64
LARGEST_INITRD: Final = 512 << 20


def with_system(found: Content, reader: Reader) -> Content:
    """A filesystem with its `operating_system` and `kernel_modules`, and its initrds with what they hold."""
    detail: dict[str, Any] = dict(found.detail)
    if name := operating_system(reader):
        detail["operating_system"] = name
    if releases := modules_of(reader):
        detail["kernel_modules"] = releases
    files = tuple(_with_contents(file, reader) for file in found.files)
    return found._replace(detail=detail, files=files)


def operating_system(reader: Reader) -> str:
    """The name of the operating system, "" where none is told."""
    for path in OS_RELEASE:
        if text := _text(reader, path):
            name = re.search(r"""(?m)^PRETTY_NAME=(?:"([^"\n]*)"|'([^'\n]*)'|(\S*))""", text)
            if name:
                return next((part for part in name.groups() if part), "")
    if version := _text(reader, b"/etc/debian_version"):
        return f"Debian {version.split()[0]}" if version.split() else ""
    for path in OLDER:
        if text := _text(reader, path):
            return text.strip().split("\n")[0]
    return ""


def modules_of(reader: Reader) -> list[str]:
    """The kernel releases that there are modules for, sorted."""
    found: set[str] = set()
    for path in MODULES:
        try:
            node = find(reader, path)
            if node is not None and node.type is NodeType.DIRECTORY:
                for _, (name, _number) in zip(range(MOST_RELEASES), names_of(reader, node), strict=False):
                    found.add(path_of(name))
        except Damaged:
            continue
    return sorted(found)


def _text(reader: Reader, path: bytes) -> str:
    try:
        node = find(reader, path)
        if node is None or node.type is not NodeType.FILE:
            return ""
        return head(reader, node, MOST_TEXT).decode("utf-8", "replace")
    except Damaged:
        return ""


def _with_contents(file: BootFile, reader: Reader) -> BootFile:
    """An initrd with what it holds, any other file as it is."""
    if file.kind is not FileKind.INITRD or file.missing or not 0 < file.size <= LARGEST_INITRD:
        return file
    from pvgrub_sim.initramfs.look import look

    try:
        node = find(reader, file.path.encode("utf-8", "surrogateescape"))
        if node is None or node.type is not NodeType.FILE:
            return file
        found = look(content(reader, node))
    except Damaged:
        return file
    if not found.known:
        return file
    facts = dict(file.facts)
    facts["compression"] = " ".join(segment.format for segment in found.segments)
    for release, count in sorted(found.versions.items()):
        facts["modules"] = ", ".join(filter(None, (facts.get("modules", ""), f"{count} of {release}")))
    facts["xen_blkfront"] = "yes" if found.modules & {"xen_blkfront", "xenblk"} else "no"
    if found.trouble or found.beyond:
        facts["trouble"] = found.trouble or found.beyond
    return file._replace(facts=facts)
