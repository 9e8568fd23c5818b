"""Files that menu.lst names: missing, misspelt, behind too many links, too large."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import initrd_for, kernel_files
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.foreign import chain_loaded
from pvgrub_sim.findings.facts.misnamed import LINKS_FOLLOWED, missing, near, other_case, unquoted, with_space
from pvgrub_sim.findings.remedies.edits import delete, edit_menu, insert_after, substitute
from pvgrub_sim.findings.remedies.steps import Remedy, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.typed import Final

SYMLINK_LOOP: Final = 26
LARGEST: Final = (1 << 31) - 1
"""Bytes that GRUB's signed 32-bit integers count."""


@rule(
    "case-or-space-in-path",
    Severity.ERROR,
    "A path that differs in upper and lower case, has a blank in it, or stands in quotes",
    """
PV-GRUB compares names byte by byte (except on FAT, whose short names it knows in lower case only), takes a
blank for the end of the name, and knows no quotes or backslashes: `Error 15: File not found`, or `Error 1:
Filename must be either an absolute pathname or blocklist` for a quoted one. A file whose name has a blank in it
cannot be named at all.

**Remedy.** Write the name as it is on the disk; rename a file whose name has a blank.

**Source.** GRUB 0.97, `stage2/disk_io.c:grub_open`, `fsys_ext2fs.c:ext2fs_dir` (names end at white space).
""",
)
def case_or_space(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        if not ref.seen.error or case.elsewhere(ref):
            continue
        bare = unquoted(ref)
        if bare is not None:
            yield Draft(
                f"{ref.entry.opening} names {ref.path} in quotes, which PV-GRUB takes for a part of the name.",
                edit_menu(case, substitute(ref.line, ref.path, bare)),
                case.at(ref.line),
                ref.line.text,
            )
            continue
        if right := other_case(case, ref.place, ref.path):
            yield Draft(
                f"{ref.entry.opening} names {ref.path}, and the file on {ref.device} is {right}.",
                edit_menu(case, substitute(ref.line, ref.path, right)),
                case.at(ref.line),
                ref.line.text,
            )
            continue
        full = with_space(ref)
        if full is not None and ref.place is not None:
            yield Draft(
                f"{ref.entry.opening} names '{full}', and PV-GRUB takes the blank for the end of the name: it "
                f"looks for {ref.path}.",
                remedies.menus.rename_file(case, ref, full),
                case.at(ref.line),
                ref.line.text,
            )


@rule(
    "symlink-depth",
    Severity.ERROR,
    "More symbolic links than PV-GRUB follows",
    """
PV-GRUB's drivers follow five symbolic links on the way to a file; the sixth is `Error 26: Too many symbolic
links`. On ext2fs a link's target and the rest of the path may have 1022 bytes together, else `Error 14`. Linux
follows forty.

**Remedy.** Name the file itself in the menu.

**Source.** GRUB 0.97, `stage2/fsys_ext2fs.c:ext2fs_dir` (`MAX_LINK_COUNT`, `linkbuf`).
""",
)
def symlink_depth(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        if not ref.seen.error or ref.place is None:
            continue
        passed, real = ref.place.links(ref.path)
        if ref.seen.error != SYMLINK_LOOP and len(passed) <= LINKS_FOLLOWED:
            continue
        remedy: Remedy = ()
        if ref.place.is_file(ref.path):
            end = f", to {real}"
            remedy = edit_menu(case, substitute(ref.line, ref.path, real))
        else:
            end = ", and leads nowhere in the end" if ref.place.reader else ""
        yield Draft(
            f"{ref.path} on {ref.device} passes {len(passed) or 'too many'} symbolic links{end}: PV-GRUB follows "
            f"{LINKS_FOLLOWED}" + (f" and gives Error {SYMLINK_LOOP}." if ref.seen.error == SYMLINK_LOOP else "."),
            remedy,
            case.at(ref.line),
            "\n".join(passed[:12]),
        )


@rule(
    "file-too-large",
    Severity.ERROR,
    "A file of 2 GiB or more, which PV-GRUB cannot read",
    """
PV-GRUB keeps sizes and positions in 32-bit integers with a sign. A file of 2 GiB or more counts as empty on
ext2fs, without an error, and cannot be read whole anywhere.

**Remedy.** A smaller initrd: only the modules that the instance needs, compressed.

**Source.** GRUB 0.97, `stage2/shared.h` (`int filepos, filemax`).
""",
)
def file_too_large(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        node = ref.place.node(ref.path) if ref.place else None
        if node is None or node.size <= LARGEST or (not ref.seen.error and ref.seen.size == node.size):
            continue
        seen = "" if ref.seen.error else f": it takes the file for {ref.seen.size} bytes"
        yield Draft(
            f"{ref.path} on {ref.device} has {node.size} bytes, more than the {LARGEST} that PV-GRUB can count{seen}.",
            advice(f"make {ref.path} smaller: for an initrd MODULES=dep (initramfs-tools) or hostonly=yes (dracut)"),
            ref.where(),
        )


def _absent(ref: FileRef) -> str:
    """`is not on (hd0)`, or what is there instead of a file."""
    node = ref.place.node(ref.path) if ref.place else None
    if node is not None:
        return f"is no file on {ref.device}"
    passed = ref.place.links(ref.path)[0] if ref.place else []
    return f"is not on {ref.device}" + (f" ({passed[-1]} leads nowhere)" if passed else "")


def _there(files: list[str]) -> str:
    return "there: " + (", ".join(files[:8]) or "none")


@rule(
    "kernel-missing",
    Severity.ERROR,
    "An entry's kernel is not there",
    """
The kernel that an entry names is not on its root device: `Error 15: File not found`. The menu was not updated
after a kernel was removed, the copy of `/boot` was not complete, or a separate boot partition wants paths
without `/boot`.

**Remedy.** Name a kernel that is there, with its initrd.

**Source.** GRUB 0.97, `stage2/fsys_ext2fs.c:ext2fs_dir`.
""",
)
def kernel_missing(case: Case) -> Iterator[Draft]:
    for ref in case.files("kernel"):
        if not missing(case, ref) or chain_loaded(case, ref.entry):
            continue
        other = near(ref)
        files = [file.path for file in kernel_files(ref.place)] if ref.place else []
        remedy: Remedy = ()
        if other:
            remedy = edit_menu(case, *remedies.menus.other_folder(ref, other))
        elif files and ref.place:
            remedy = edit_menu(case, *remedies.menus.other_kernel(ref, ref.place, files[-1]))
        is_it = f"; it is {other}" if other else ""
        yield Draft(
            f"{ref.entry.opening} names the kernel {ref.path}, which {_absent(ref)}{is_it} (Error {ref.seen.error}).",
            remedy,
            case.at(ref.line),
            _there(files),
        )


@rule(
    "initrd-missing",
    Severity.ERROR,
    "An entry's initrd is not there",
    """
An entry whose `initrd` file is missing fails with `Error 15: File not found`, although its kernel is there: the
entry as a whole is given up, and the fallback runs. An entry without any `initrd` line boots, and then its
kernel must mount the root filesystem with what is built into it: that is a note when there is an initrd for it.

**Remedy.** Name the initrd that is there; make it anew (`update-initramfs`, `dracut`); delete the line for a
kernel that needs none.

**Source.** GRUB 0.97, `stage2/builtins.c:initrd_func`; Xen, `stubdom/grub/mini-os.c:load_initrd`.
""",
)
def initrd_missing(case: Case) -> Iterator[Draft]:
    for ref in case.files("initrd", "module", "modulenounzip"):
        if not missing(case, ref):
            continue
        kernel = ref.entry.first("kernel")
        right = near(ref) or (initrd_for(ref.place, kernel.file) if ref.place and kernel else None)
        edit = substitute(ref.line, ref.path, right) if right else delete(ref.line)
        # Where the survey cannot follow the path, the file may be there, and the kernel want it.
        known = right or ref.place is None or ref.place.reader is None or ref.place.knows(ref.path)
        yield Draft(
            f"{ref.entry.opening} names the {ref.role} {ref.path}, which {_absent(ref)} "
            f"(Error {ref.seen.error})" + (f"; there is {right}." if right else "."),
            edit_menu(case, edit) if known else (),
            case.at(ref.line),
        )
    for ref in case.files("kernel"):
        if ref.seen.error or ref.place is None or ref.entry.first("initrd", "module", "modulenounzip"):
            continue
        if chain_loaded(case, ref.entry):
            continue
        right = initrd_for(ref.place, ref.path)
        if right:
            yield Draft(
                f"{ref.entry.opening} has no initrd line, and {right} is there for its kernel.",
                edit_menu(case, insert_after(ref.line, f"initrd {right}")),
                case.at(ref.line),
                "",
                Severity.NOTE,
            )
