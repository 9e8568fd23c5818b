"""How libxc words its messages, release by release."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]

INVALID_KERNEL = "Invalid kernel"
INTERNAL_ERROR = "Internal error"

# The line numbers are those of the 4.17 build; other releases have others.
BZIMAGE = "bzimageloader"
CORE = "core"
ELF = "elfloader"
FLAT = "binloader"
BOOT = "boot"


class Wording:
    """Prints messages as the libxc of one Xen release does.

    xen: the release. log: takes one line of console output at a time.
    """

    def __init__(self, xen: tuple[int, int], log: Log) -> None:
        self.xen = xen
        self.log = log
        self.prefix = "xg_dom_" if xen >= (4, 15) else "xc_dom_"

    def _print(self, text: str) -> None:
        for line in text.split("\n"):
            self.log(line)

    def panic(self, file: str, line: int, text: str, kind: str = INVALID_KERNEL) -> None:
        """A loader's complaint (xc_dom_panic): source file without its prefix, line, message, kind of error."""
        place = f"{self.prefix}{file}.c:{line}"
        if self.xen >= (4, 1):
            self._print(f"xc: error: panic: {place}: {text}: {kind}")
        else:
            self._print(f"ERROR {kind}: {text}")
            self._print(f"{place}: panic: {text}")

    def complain(self, function: str, text: str) -> None:
        """libelf's complaint (elf_err), which ends in a line feed of its own."""
        if self.xen < (4, 4):
            text = text.partition(" (Not ")[0]
        # One of the messages got its line feed with 4.4.
        feed = "" if self.xen < (4, 4) and text.endswith("Linux images") else "\n"
        text = f"{function}: {text}"
        if self.xen >= (4, 1):
            self._print(f"xc: error: {text}{feed}: {INVALID_KERNEL}")
        else:
            self._print(f"ERROR {INVALID_KERNEL}: {text}")

    def not_a_bzimage(self, text: str) -> None:
        """What makes a file no bzImage: printed up to 4.1, silent since."""
        if self.xen < (4, 1):
            self.log(f"xc_dom_probe_bzimage_kernel: {text}")
        elif self.xen < (4, 2):
            self.panic(BZIMAGE, 633, f"xc_dom_probe_bzimage_kernel: {text}")
