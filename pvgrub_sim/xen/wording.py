"""How libxc words its messages, tree by tree."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.profiles.loaders import Loader
from pvgrub_sim.profiles.source_lines import source_lines
from pvgrub_sim.xen.refusal import Cause, Refusal

Log = Callable[[str], None]

INVALID_KERNEL = "Invalid kernel"
INTERNAL_ERROR = "Internal error"
PROBE = "xc_dom_probe_bzimage_kernel"
RENAMED = (4, 15)
"""From this release on the files are called xg_dom_*.c."""

_FILES = {
    "bzimageloader": "too_small not_bzimage protocol offset length gzip bzip2 xz zstd lzma lzo lz4 unknown",
    "core": "inflate no_loader",
    "elfloader": "corrupted no_shstrtab dom0 machine",
    "binloader": "flags header load_end bss_end",
    "boot": "abi",
    "decompress_unsafe": "decoder",
}
_FILE_OF = {message: file for file, messages in _FILES.items() for message in messages.split()}
_WITHOUT_LINE_FEED = frozenset({"bzip2", "offset", "length", "header"})
"""Messages of Xen 4.0 that do not end their line; the others end it themselves."""
_WITH_FULL_STOP = frozenset({Cause.NO_NOTES, Cause.OUT_OF_BOUNDS, Cause.P2M_OUT_OF_BOUNDS})
"""What libelf says with a full stop, as long as it says it aloud."""


class Wording:
    """Prints messages as the libxc of one tree does.

    loader: of that tree. log: takes one line of console output at a time.
    """

    def __init__(self, loader: Loader, log: Log) -> None:
        self.loader = loader
        self.log = log
        self.lines = {**source_lines(loader.tree), **dict(loader.moved)}
        self.prefix = "xg_dom_" if loader.xen >= RENAMED else "xc_dom_"
        self.unfinished = ""

    def write(self, text: str) -> None:
        """Print text; what follows the last line feed waits for more."""
        *whole, self.unfinished = (self.unfinished + text).split("\n")
        for line in whole:
            self.log(line)

    def panic(self, message: str, text: str, kind: str = INVALID_KERNEL) -> None:
        """A loader's complaint (xc_dom_panic), where the tree has it; message: its name in profiles/source_lines.py."""
        if message not in self.lines:
            return
        place = f"{self.prefix}{_FILE_OF[message]}.c:{self.lines[message]}"
        if self.loader.reports:
            self.write(f"xc: error: panic: {place}: {text}: {kind}\n")
        else:
            end = "" if message in _WITHOUT_LINE_FEED else "\n"
            # xc_set_error() prints the message and ends its line; then it is printed again, as it is.
            self.write(f"ERROR {kind}: {text}{end}\n{place}: panic: {text}{end}")

    def not_a_bzimage(self) -> None:
        """What is said of a file that has not the magic of a bzImage: nothing from 4.2 on."""
        text = f"{PROBE}: kernel is not a bzImage"
        if self.loader.bare_probe:
            # QUIRK: the log of Amazon's build has this line alone, where every tree of the time panics.
            self.write(f"{text}\n")
        else:
            self.panic("not_bzimage", text)

    def overflow(self, table: str, offset: int, size: int) -> None:
        """libelf's complaint about a header table, before its errors had to be asked for (elf_init in Xen 4.0)."""
        if not self.loader.reports:
            self.write(f"ERROR {INVALID_KERNEL}: elf_init: {table} overflow (off {offset:x} > size {size:x})\n\n")

    def complain(self, function: str, refusal: Refusal) -> None:
        """libelf's complaint (elf_err), of loaders that do not probe for notes."""
        reason = refusal.reason if self.loader.shows_strings else refusal.reason.partition(" (Not ")[0]
        text = f"{function}: ERROR: {reason}{'.' if refusal.cause in _WITH_FULL_STOP else ''}"
        if self.loader.reports:
            self.write(f"xc: error: {text}: {INVALID_KERNEL}\n")
        else:
            # The one message without a line feed of its own.
            self.write(f"ERROR {INVALID_KERNEL}: {text}\n" + ("" if refusal.cause is Cause.NOT_LINUX else "\n"))
