"""`pvgrub-sim inspect`: what is really on an image, as a modern reader sees it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from pvgrub_sim import one_line
from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import print_json
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import BootFile, Content, Layer, Survey, Volume

LINES = ("├─ ", "└─ ", "│  ")
ASCII_LINES = ("|- ", "`- ", "|  ")
TABLES = {"none": "no partition table", "mbr": "MBR", "gpt": "GPT", "hybrid": "GPT and MBR (hybrid)"}
Tree = list[tuple[str, "Tree"]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", metavar="IMAGE", help="disk image or block device (only ever read)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report (default: text)")
    parser.add_argument("--all", action="store_true", help="list every file of /boot, not only what boots")
    configure_image(parser)


def run(args: argparse.Namespace) -> int:
    """Survey the image and print the tree; 0 whatever is on it."""
    from pvgrub_sim import inspect_image

    result = inspect_image(args.image, **image_options(args))
    if args.format == "json":
        print_json(result.to_json())
    else:
        lines = text(result, every_file=args.all, drawing=_drawing(sys.stdout.encoding))
        sys.stdout.writelines(line + "\n" for line in lines)
    return 0


def _drawing(encoding: str | None) -> tuple[str, str, str]:
    """What the tree is drawn with where the output has that encoding."""
    try:
        "".join(LINES).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_LINES
    return LINES


def text(survey: Survey, *, every_file: bool = False, drawing: tuple[str, str, str] = LINES) -> Iterator[str]:
    """The survey as a tree, line by line."""
    kind = TABLES[survey.table.kind]
    copies = f", {survey.table.usable} only" if survey.table.usable in ("primary", "backup") else ""
    name = f" {survey.table.id}" if survey.table.id else ""
    yield one_line(f"{survey.image}: {size_text(survey.size)}, {kind}{name}{copies}")
    tree: Tree = [(_layer(layer), []) for layer in survey.layers]
    tree += _problems((*survey.problems, *survey.table.problems))
    if survey.whole.contents or not survey.partitions:
        tree.append((f"{survey.whole.grub} whole disk", _contents(survey.whole, every_file)))
    tree += [(_partition(volume), _contents(volume, every_file)) for volume in survey.partitions]
    yield from _draw(tree, "", drawing)


def _draw(tree: Tree, indent: str, drawing: tuple[str, str, str]) -> Iterator[str]:
    branch, end, trunk = drawing
    for index, (line, below) in enumerate(tree):
        last = index == len(tree) - 1
        yield one_line(indent + (end if last else branch) + line)
        yield from _draw(below, indent + ("   " if last else trunk), drawing)


def _layer(layer: Layer) -> str:
    words = [f"{layer.format} {layer.name}", size_text(layer.size), layer.detail]
    return ", ".join(word for word in words if word)


def _problems(problems: tuple[str, ...]) -> Tree:
    return [(f"! {problem}", []) for problem in problems]


def _partition(volume: Volume) -> str:
    words = [volume.grub]
    if volume.number is not None and volume.table != "bsd":
        words.append(f"partition {volume.number}")
    if volume.table in ("logical", "bsd"):
        words.append(f"({volume.table})")
    kind = volume.type if volume.table != "gpt" or volume.type_name == "unknown" else ""
    words += [word for word in (kind, volume.type_name) if word]
    words.append(f"{size_text(volume.size)} at {volume.offset}")
    if volume.label:
        words.append(f"name {volume.label!r}")
    if volume.active:
        words.append("active")
    return f"{words[0]} {', '.join(words[1:])}"


def _contents(volume: Volume, every_file: bool) -> Tree:
    tree = _problems(volume.problems)
    for content in volume.contents:
        tree.append((_content(content), _below(content, every_file)))
    if not volume.contents and volume.type_name not in ("extended", "W95 extended (LBA)", "Linux extended"):
        tree.append(("nothing known", []))
    return tree


def _content(content: Content) -> str:
    version = content.version if content.kind != "filesystem" or content.type in ("xfs", "vfat", "ufs", "minix") else ""
    words = [" ".join(word for word in (content.type, version) if word)]
    if content.label:
        words.append(f"label {content.label!r}")
    if content.uuid:
        words.append(f"UUID {content.uuid}")
    if content.size is not None:
        words.append(size_text(content.size))
    if content.block_size is not None:
        words.append(f"blocks of {content.block_size}")
    if content.state:
        words.append(content.state)
    return ", ".join(words)


def _below(content: Content, every_file: bool) -> Tree:
    tree: Tree = []
    if content.features:
        tree.append((f"features: {' '.join(content.features)}", []))
    for key, value in content.detail.items():
        if key == "logical_volumes":
            for volume in value:
                tree.append((f"logical volume {volume['name']}: {size_text(volume['size'])}, {volume['type']}", []))
        elif value not in ("", []):
            shown = " ".join(value) if isinstance(value, list) else value
            tree.append((f"{key.replace('_', ' ')}: {shown}", []))
    shown_files = [file for file in content.files if every_file or file.kind != "other"]
    tree += [(_file(file), []) for file in shown_files]
    hidden = len(content.files) - len(shown_files)
    if hidden:
        tree.append((f"{hidden} other file{'s' if hidden > 1 else ''} (--all lists them)", []))
    if content.kind == "filesystem" and not content.readable and not content.problems:
        tree.append(("its files are not read by this survey", []))
    return tree + _problems(content.problems)


def _file(file: BootFile) -> str:
    words = [file.path if file.link is None else f"{file.path} -> {file.link}"]
    if file.missing:
        words.append("leads nowhere")
        return ", ".join(words)
    words += [file.kind, f"{file.size} bytes"]
    if file.kind == "config":
        words += [f"{name}={value}" for name, value in file.facts.items() if name in ("CONFIG_XEN", "CONFIG_XEN_PV")]
    else:
        words += [f"{name} {value}" for name, value in file.facts.items() if value and name != "payload_offset"]
    if file.holes:
        words.append(f"{file.holes} bytes of holes from byte {file.first_hole}")
    if file.unwritten:
        words.append(f"{file.unwritten} bytes in unwritten extents")
    return ", ".join(words)


def size_text(size: int) -> str:
    """A size in the largest binary unit that shows it with at most one decimal: 1.5 GiB."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024 or unit == "PiB":
            break
        value /= 1024
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"
