"""The files that booting is about: at the root, in /boot and in GRUB's folders."""

from __future__ import annotations

import re

from pvgrub_sim.ondisk import bzimage, compressed, elf
from pvgrub_sim.survey.area import Damaged, path_of
from pvgrub_sim.survey.result import BootFile, FileKind
from pvgrub_sim.survey.tree import Node, NodeType, Reader, find, head, names_of, runs_of, target
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

FOLDERS: Final = (b"/", b"/boot/", b"/boot/grub/", b"/grub/", b"/boot/grub2/", b"/grub2/", b"/boot/loader/entries/")
MOST_FILES: Final = 512
"""Files of one folder that are told."""
HEAD: Final = 64 << 10
LONGEST_CONFIG: Final = 1 << 20
PAYLOAD_HEAD: Final = 16
"""Bytes of a payload that tell its format."""

_BEGINNINGS: Final = (
    (FileKind.INITRD, (b"initrd", b"initramfs", b"uinitrd", b"ramdisk")),
    (FileKind.KERNEL_CONFIG, (b"config-",)),
    (FileKind.KERNEL, (b"vmlinuz", b"vmlinux", b"bzimage", b"zimage", b"kernel-", b"linux-", b"linux.")),
)
_WHOLE_NAMES: Final = {b"kernel": FileKind.KERNEL, b"linux": FileKind.KERNEL}
_MENUS: Final = {b"menu.lst": FileKind.MENU, b"grub.conf": FileKind.MENU, b"grub.cfg": FileKind.GRUB2}
_OPTIONS: Final = (
    rb"(?m)^(?:# )?(CONFIG_(?:XEN|XEN_PV|XEN_PVH|XEN_PVHVM|XEN_DOM0|PARAVIRT|X86_PAE|X86_64|HVC_XEN|XEN_BLKDEV_FRONTEND"
    rb"|KERNEL_(?:GZIP|BZIP2|LZMA|XZ|LZO|LZ4|ZSTD|UNCOMPRESSED)))(?:=(\w+)| is not set)\s*$"
)


def kind_of(name: bytes, folder: bytes) -> FileKind:
    """What a file's name says that it is."""
    if name in _MENUS:
        return _MENUS[name]
    if name == b"default" and folder.rstrip(b"/").endswith(b"grub"):
        return FileKind.DEFAULT
    if folder.endswith(b"/loader/entries/") and name.endswith(b".conf"):
        return FileKind.GRUB2
    lower = name.lower()
    for kind, beginnings in _BEGINNINGS:
        if lower.startswith(beginnings):
            return kind
    return _WHOLE_NAMES.get(lower, FileKind.OTHER)


class _Listing(NamedTuple):
    reader: Reader
    files: list[BootFile]
    problems: list[str]


def boot_files(reader: Reader) -> tuple[tuple[BootFile, ...], tuple[str, ...]]:
    """The boot files of a filesystem, sorted by folder and name, and what could not be read."""
    listing = _Listing(reader, [], [])
    seen: set[int] = set()
    for folder in FOLDERS:
        try:
            node = find(reader, folder)
            if node is None or node.type is not NodeType.DIRECTORY or node.number in seen:
                # A link such as /boot/boot -> . shows the same folder again.
                continue
            seen.add(node.number)
            _list_folder(listing, node, folder)
        except Damaged as error:
            listing.problems.append(f"{path_of(folder)}: {error}")
    return tuple(listing.files), tuple(listing.problems)


def _list_folder(listing: _Listing, node: Node, folder: bytes) -> None:
    entries = []
    for name, number in names_of(listing.reader, node):
        kind = kind_of(name, folder)
        if folder != b"/" or kind is not FileKind.OTHER:
            entries.append((name, number, kind))
    if len(entries) > MOST_FILES:
        entries = [entry for entry in entries if entry[2] is not FileKind.OTHER] or entries[:MOST_FILES]
    if len(entries) > MOST_FILES:
        listing.problems.append(f"{path_of(folder)}: {listing.reader.area.budget.give_up('more boot files')}")
    for name, number, kind in sorted(entries)[:MOST_FILES]:
        try:
            file = _describe(listing.reader, folder + name, number, kind)
        except Damaged as error:
            listing.problems.append(f"{path_of(folder + name)}: {error}")
            continue
        if file is not None:
            listing.files.append(file)


def _describe(reader: Reader, path: bytes, number: int, kind: FileKind) -> BootFile | None:
    """One file; None for a directory or a device."""
    node: Node | None = reader.node(number)
    link = None
    if node is not None and node.type is NodeType.LINK:
        link = path_of(target(reader, node))
        node = find(reader, path)
        if node is None:
            return BootFile(path_of(path), kind, link=link, missing=True)
    if node is None or node.type is not NodeType.FILE:
        return None
    holes, unwritten, first = _gaps(reader, node)
    facts = _facts(reader, node, kind) if node.size else {}
    return BootFile(path_of(path), kind, node.size, link, False, holes, unwritten, first, facts)


def _gaps(reader: Reader, node: Node) -> tuple[int, int, int | None]:
    """Bytes without a block, bytes in unwritten blocks, and the offset of the first of them."""
    holes = unwritten = 0
    first = None
    if reader.inline(node) is None:
        for run in runs_of(reader, node):
            if run.place is None:
                holes += run.length
            elif run.unwritten:
                unwritten += run.length
            else:
                continue
            first = run.offset if first is None else first
    return holes, unwritten, first


def _facts(reader: Reader, node: Node, kind: FileKind) -> dict[str, str]:
    if kind is FileKind.KERNEL:
        facts = kernel_facts(head(reader, node, HEAD))
        if "payload_offset" in facts:
            begin = head(reader, node, PAYLOAD_HEAD, int(facts["payload_offset"]))
            facts["payload"] = _payload_name(begin)
        return facts
    if kind is FileKind.KERNEL_CONFIG and node.size <= LONGEST_CONFIG:
        return config_facts(head(reader, node, node.size))
    return {}


def _payload_name(begin: bytes) -> str:
    if begin.startswith(elf.MAGIC):
        return "none"
    return next((name for name, magic in compressed.FORMATS if begin.startswith(magic)), "unknown")


def kernel_facts(raw: bytes) -> dict[str, str]:
    """What the first 64 KiB of a kernel say: format, boot protocol, version and where the payload begins."""
    if raw.startswith(elf.MAGIC):
        return {"format": "ELF", "bits": {1: "32", 2: "64"}.get(raw[4] if len(raw) > 4 else 0, "?")}
    if compressed.is_gzip(raw):
        return {"format": "gzip"}
    if not bzimage.is_bzimage(raw):
        return {"format": "unknown"}
    header = bzimage.read_setup_header(raw)
    facts = {"format": "bzImage", "protocol": header.protocol, "version": bzimage.kernel_version(raw)}
    if header.version >= 0x208:
        facts["payload_offset"] = str(header.payload_start)
    return facts


def config_facts(text: bytes) -> dict[str, str]:
    """The options of a kernel configuration that decide whether it runs under Xen: `y`, `m`, or `n` when not set."""
    return {name.decode(): value.decode() if value else "n" for name, value in re.findall(_OPTIONS, text)}
