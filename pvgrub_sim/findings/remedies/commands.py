"""Where a remedy becomes text: commands for a shell, or words where commands would not be safe.

Every name of an image goes through the gate (names.py) on its way into a command: what does not pass makes words of the
whole step. Files are copied out under fixed names into a folder of their own, a new file is whole before an old one
goes, and each command waits for the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvgrub_sim.findings.remedies.names import NotPlain, comment, host_word, plain, word
from pvgrub_sim.findings.remedies.putting import NEXT, NoRoom, Put
from pvgrub_sim.findings.remedies.sed import expressions
from pvgrub_sim.findings.remedies.steps import (
    EXT,
    Advice,
    BootDisk,
    BtrfsBootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    Operand,
    PutFile,
    Remedy,
    Repack,
    Run,
    Source,
    Step,
    Target,
    device_of,
    start_of,
    targets_of,
)
from pvgrub_sim.findings.remedies.tool_words import BOOT_NAMES, debugfs, put_aside, quoted, tool_command
from pvgrub_sim.findings.remedies.words import in_words
from pvgrub_sim.typed import Final

FOLDER: Final = "pvgrub-sim.work"


class Wrapped(Exception):
    """An image is in a format that the tools do not know: they would take it for a raw one, and destroy it."""


class Truncated(Exception):
    """An image is shorter than its filesystem, so that no tool may touch it."""


def as_text(remedy: Remedy, images: Sequence[str] = ()) -> str:
    """A remedy for a report. images: paths of all images of the case, whose names no file made here may take."""
    folder = FOLDER
    while any(folder in image.split("/") for image in images):
        folder += "-2"
    return "\n".join(_text(step, folder) for step in remedy)


def _text(step: Step, folder: str) -> str:
    try:
        for target in targets_of(step):
            if target.short:
                raise Truncated
        # A boot disk is a file of its own, and files are copied out for it by pvgrub-sim.
        if not isinstance(step, BootDisk) and any(target.wrapped for target in targets_of(step)):
            raise Wrapped
        return "\n".join(Commands(folder).of(step))
    except Truncated:
        short = next(target for target in targets_of(step) if target.short)
        told = f"{short.image} ends {short.short} bytes before its filesystem does: it is truncated. Copy it anew from"
        return comment((f"{told} where it came from; no tool may repair it as it is.",))
    except Wrapped:
        target = next(target for target in targets_of(step) if target.wrapped)
        told = f"no commands, for {target.image} is no raw image in a file here ({target.wrapped}). `pvgrub-sim fix"
        ask = " IMAGE -o disk.raw` mends a raw copy; or ask again with a raw image of it; or by other means:"
        return comment((told + ask, *in_words(step)))
    except NoRoom:
        return comment(("the filesystem has no room for the new file beside the old one:", *in_words(step)))
    except NotPlain as found:
        told = f"no commands, for this does not belong into a shell: {found.text}"
        return comment((told, "by hand, then:", *in_words(step)))


class Commands:
    """Writes the commands of one step. folder: for the files that are copied out."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def of(self, step: Step) -> list[str]:
        """The lines; raises NotPlain, NoRoom."""
        match step:
            case Advice(lines=lines):
                return [comment(lines)]
            case EditMenu():
                return self._edit_menu(step)
            case PutFile():
                return self._put_file(step)
            case Repack():
                return self._repack(step)
            case MakeLink():
                away = put_aside(step.path, step.aside) if step.dangling else []
                return debugfs(step.target, [*away, f"symlink {quoted(step.path)} {quoted(step.to)}"])
            case MoveFile():
                # debugfs has no rename; neither of these two counts links.
                old = quoted(step.path)
                image = host_word(step.target.image)
                return [
                    *debugfs(step.target, [f"ln {old} {quoted(step.new)}"], NEXT),
                    f"pvgrub-sim cat --survey {image} {word(step.target.alone + step.new)} > /dev/null{NEXT}",
                    *debugfs(step.target, [f"unlink {old}"]),
                ]
            case Run():
                return self._run(step)
            case BootDisk():
                return self._boot_disk(step)
            case BtrfsBootDisk():
                return self._btrfs_boot_disk(step)

    def _file(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _make_folder(self) -> str:
        return f"mkdir -p {self.folder}{NEXT}"

    def _copy_out(self, target: Target, path: str, name: str) -> str:
        return f"pvgrub-sim cat --survey {host_word(target.image)} {word(target.alone + path)} > {self._file(name)}"

    # --- menus

    def _edit_menu(self, step: EditMenu) -> list[str]:
        menu = self._file("menu.lst")
        lines = [self._make_folder()]
        if step.shared:
            lines.insert(0, comment(("one edit for all that these findings have to say of the menu:",)))
        if step.packed:
            lines.append(self._copy_out(step.target, step.path, "menu.lst.gz") + NEXT)
            lines.append(f"gzip -d -c {menu}.gz > {menu}{NEXT}")
        else:
            lines.append(self._copy_out(step.target, step.path, "menu.lst") + NEXT)
        # Lines are counted in the menu that was seen: any other one is left alone.
        lines.append(f"echo '{step.seen}  {menu}' | sha256sum -c --quiet{NEXT}")
        lines += [f"sed -i {expressions(edits)} {menu}{NEXT}" for edits in step.passes]
        size = step.size + sum(len(edit.new) + 1 for edits in step.passes for edit in edits)
        return lines + self._put(step.target, "menu.lst", step.path, size=size, replaces=True, step=step)

    # --- files

    def _put_file(self, step: PutFile) -> list[str]:
        lines = [self._make_folder()]
        if isinstance(step.content, Source):
            name, size = "file", step.content.size
            lines.append(self._copy_out(step.content.target, step.content.path, name) + NEXT)
        else:
            name, size = step.path.rpartition("/")[2], len(step.content)
            if name != "menu.lst":
                name = "file"
            text = step.content.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
            body = [plain(line) if line else "" for line in text]
            if "END" in body:
                raise NotPlain("END")
            lines += [f"cat > {self._file(name)} <<'END'{NEXT}", *body, "END"]
        if step.in_the_way:
            lines += debugfs(step.target, put_aside(step.in_the_way, step.aside), NEXT)
        return lines + self._put(
            step.target, name, step.path, size=size, replaces=step.replaces, folders=step.folders, step=step
        )

    def _repack(self, step: Repack) -> list[str]:
        new = f"kernel.{step.payload}"
        return [
            self._make_folder(),
            self._copy_out(step.target, step.path, "kernel") + NEXT,
            f"pvgrub-sim repack --payload {step.payload} {self._file('kernel')} -o {self._file(new)}{NEXT}",
            # How large it becomes is known afterwards; that it is there whole is compared then.
            *self._put(step.target, new, step.path, size=step.size, replaces=True, step=step),
        ]

    def _put(
        self,
        target: Target,
        name: str,
        path: str,
        *,
        size: int,
        replaces: bool,
        step: EditMenu | PutFile | Repack,
        folders: Sequence[str] = (),
    ) -> list[str]:
        """Put a file of the folder at a path of the filesystem: written, compared, and only then in its place."""
        put = Put(
            target,
            self._file(name),
            path,
            size=size,
            replaces=replaces,
            folders=folders,
            backup=step.backup,
            attributes=step.attributes,
        )
        return put.on_ext() if target.filesystem in EXT else put.on_fat()

    # --- commands

    def _run(self, step: Run) -> list[str]:
        from pvgrub_sim.findings.remedies.on_copy import keep_table, on_copy

        target = step.target
        if target is None:
            return _chain([tool_command(words, target, None) for words in step.commands])
        if any(Operand.VOLUME in words for words in step.commands):
            return _chain(on_copy(step.commands, target, self.folder))
        kept = keep_table(str(step.commands[0][0]), target, self.folder)
        return _chain([*kept, *(tool_command(words, target, None) for words in step.commands)])

    # --- boot disks

    def _boot_disk(self, step: BootDisk) -> list[str]:
        from pvgrub_sim.findings.remedies.on_copy import boot_filesystem

        lines = [self._make_folder()]
        inside: list[str] = []
        folders: dict[str, None] = {}
        compared = []
        new = self._file("boot.img")
        for number, (path, source) in enumerate(step.files):
            name = "menu.lst" if number == 0 else f"file{number}"
            parts = plain(path).split("/")[1:-1]
            folders |= dict.fromkeys("/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1))
            lines.append(self._copy_out(source.target, source.path, name) + NEXT)
            inside.append(f"write {self._file(name)} {quoted(path)}")
            there = word(device_of(step.partition) + path)
            compared.append(f"pvgrub-sim cat --survey {new} {there} | cmp - {self._file(name)}{NEXT}")
        if step.edits and step.packed:
            menu = self._file("menu.lst")
            lines += [f"mv {menu} {menu}.gz{NEXT}", f"gzip -d -c {menu}.gz > {menu}{NEXT}"]
        if step.edits:
            lines.append(f"sed -i {expressions(step.edits)} {self._file('menu.lst')}{NEXT}")
        lines += [line + NEXT for line in boot_filesystem(new, str(step.size >> 10), step.partition)]
        commands = [*(f"mkdir {quoted(folder)}" for folder in folders), *inside]
        start = start_of(step.partition)
        device = f"'{new}?offset={start}'" if start else new
        lines += [f"debugfs -w -f - {device} <<'END'{NEXT}", *commands, "END", *compared]
        return [*lines, f"mv -n {new} {step.output}"]

    def _btrfs_boot_disk(self, step: BtrfsBootDisk) -> list[str]:
        from pvgrub_sim.findings.remedies.on_copy import boot_filesystem, take_out, watched

        target = step.target
        tree, new = self._file("tree"), self._file("boot.img")
        lines = [f"mkdir -p {tree}"]
        source = host_word(target.image)
        if target.number is not None:
            source = self._file("part.img")
            lines += take_out(target, source)
        # Names that lead nowhere else; links last, so that no file goes through one.
        names = f"--path-regex '{BOOT_NAMES}'"
        lines.append(watched(f"btrfs restore {names} {source} {tree}", tree))
        lines.append(watched(f"btrfs restore --symlinks {names} {source} {tree}", tree))
        home = device_of(step.partition)
        if home != target.alone:
            lines.append(rf"sed -i 's/^\([ \t]*root[ \t]*\)([^)]*)/\1{home}/' {tree}/boot/grub/menu.lst")
        if target.number is not None:
            lines.append(f"rm {source}")
        room = f"$(( $(du -sk {tree} | cut -f1) * 5 / 4 + 2048 ))"
        return _chain([*lines, *boot_filesystem(new, room, step.partition, tree), f"mv -n {new} {step.output}"])


def _chain(lines: Sequence[str]) -> list[str]:
    """Commands of which each waits for the one before it."""
    return [*(line + NEXT for line in lines[:-1]), *lines[-1:]]
