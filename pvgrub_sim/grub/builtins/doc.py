"""Writes docs/commands.md from the table of commands: `python -m pvgrub_sim.grub.builtins.doc docs/commands.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from pvgrub_sim.grub.builtins import BUILTINS, Builtin, Flag
from pvgrub_sim.grub.builtins.screen import help_texts

HEAD = """# Commands

What PV-GRUB's own commands do in this simulation, one row each. Generated from the table in
`pvgrub_sim/grub/builtins`; the sources are those of GRUB 0.97 with Xen's patches and of `stubdom/grub`.

*Where*: in the **head** of menu.lst (above the first `title`), in an **entry**, at the `grubdom>` **prompt**.
A command that may not stand in the head is ignored there; one that may not stand in an entry is Error 27.
*Echo*: whether the line is printed before it runs.

Every other word, `uuid`, `search`, `quiet`, `setup`, `device`, `serial` and `md5crypt` among them, is dropped while
menu.lst is read, without an error.

"""


def where(command: Builtin) -> str:
    """Where a command may stand."""
    if command.flags & Flag.TITLE:
        return "begins an entry"
    places = []
    if command.flags & Flag.MENU:
        places.append("head")
    if command.flags & Flag.CMDLINE:
        places += ["entry", "prompt"]
    return ", ".join(places)


def as_markdown() -> str:
    """The whole page."""
    texts = help_texts()
    rows = ["| command | where | echo | what it does here | source |", "|---|---|---|---|---|"]
    for name in sorted(BUILTINS):
        command = BUILTINS[name]
        usage = texts.get(command.name, (command.name, ""))[0].replace("|", "\\|")
        echo = "no" if command.flags & (Flag.NO_ECHO | Flag.TITLE) else "yes"
        does = command.does.replace("|", "\\|")
        rows.append(f"| `{usage}` | {where(command)} | {echo} | {does} | `{command.source}` |")
    return HEAD + "\n".join(rows) + "\n"


def main(path: str) -> None:
    """Write the page to a file."""
    Path(path).write_text(as_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
