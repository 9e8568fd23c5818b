"""Writes docs/cli.md and man/pvgrub-sim.1 from the command line's own parser, docs/rules.md from the rules, and
docs/commands.md from the table of PV-GRUB's commands, docs/versions.md from the profiles,
pvgrub_sim/report/rule_pages.json, which is what SARIF says of a rule, from the rules, and the completion scripts in
pvgrub_sim/cli/completions. Files that a page shows are put into it.

python docs/generate.py            write them
python docs/generate.py --check    exit 1 when one of them is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.completions import WRITERS
from docs.inlined import PAGES as SHOWING_FILES
from docs.versions_page import versions
from pvgrub_sim.cli import build_parser
from pvgrub_sim.findings.pages import as_json as rule_pages
from pvgrub_sim.findings.pages import as_markdown as rules
from pvgrub_sim.grub.builtins.screen import help_texts
from pvgrub_sim.grub.builtins.table import Builtin, Flag, all_builtins

ROOT = Path(__file__).parents[1]
CLI_PAGE = ROOT / "docs" / "cli.md"
RULES_PAGE = ROOT / "docs" / "rules.md"
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
VERSIONS_PAGE = ROOT / "docs" / "versions.md"
RULE_PAGES = ROOT / "pvgrub_sim" / "report" / "rule_pages.json"
COMPLETIONS = ROOT / "pvgrub_sim" / "cli" / "completions"
MAN_PAGE = ROOT / "man" / "pvgrub-sim.1"

EXIT_STATUS = (
    ("0", "The default entry boots (with --allow-fallback: any entry), or the command did what it was asked."),
    ("1", "Nothing boots, or what was looked for is not so."),
    ("2", "Usage, or an image or file that cannot be opened or read."),
    ("3", "Only a fallback entry boots."),
)
ENVIRONMENT = (("NO_COLOR", "When set and not empty, no colours are used, not even on a terminal."),)


@dataclass(frozen=True)
class Command:
    """A parser as the pages need it."""

    name: str
    description: str
    epilog: str
    usage: str
    arguments: list[tuple[str, str]]
    """Arguments and options as they are written, with their help."""


def commands(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """The parser and all commands below it, in the order in which --help lists them."""
    yield _command(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in dict.fromkeys(action.choices.values()):
                yield from commands(sub)


def _command(parser: argparse.ArgumentParser) -> Command:
    formatter = parser._get_formatter()
    arguments = []
    for action in parser._actions:
        # Every command has --help: once is enough.
        if action.help is argparse.SUPPRESS or (action.dest == "help" and " " in parser.prog):
            continue
        if isinstance(action, argparse._SubParsersAction):
            arguments += [(f"{parser.prog} {choice.dest}", choice.help or "") for choice in action._choices_actions]
        else:
            arguments.append((_written(action), formatter._expand_help(action) if action.help else ""))
    usage = " ".join([parser.prog, *(_in_usage(action) for action in _usage_order(parser))])
    return Command(parser.prog, parser.description or "", parser.epilog or "", usage, arguments)


def _usage_order(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Options before arguments, as argparse does it, without --help."""
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS and action.dest != "help"]
    return sorted(shown, key=lambda action: not action.option_strings)


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper().replace("_", "-")


def _written(action: argparse.Action) -> str:
    """`-o, --output FILE`, or `IMAGE`."""
    if not action.option_strings:
        return _value(action)
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {_value(action)}"


def _in_usage(action: argparse.Action) -> str:
    value = _value(action)
    if action.option_strings:
        name = action.option_strings[-1]
        word = name if action.nargs == 0 else f"{name} {value}"
        return word if action.required else f"[{word}]"
    match action.nargs:
        case "+":
            return f"{value} [{value} ...]"
        case "*":
            return f"[{value} ...]"
        case "?":
            return f"[{value}]"
        case argparse.PARSER:
            return f"{value} ..."
        case _:
            return value


# --- docs/cli.md


def markdown() -> str:
    """docs/cli.md."""
    lines = [
        "# Command line",
        "",
        "<!-- Written by docs/generate.py from the parser: change the help there, then run it. -->",
        "",
    ]
    for command in commands(build_parser()):
        depth = 2 if " " not in command.name else 1 + len(command.name.split())
        lines += [f"{'#' * depth} `{command.name}`", "", _md(command.description), "", "```text", *_fold(command.usage)]
        lines += ["```", ""]
        for written, text in command.arguments:
            lines += [f"`{written}`", f":   {_md(text) or '&nbsp;'}", ""]
        if command.epilog:
            lines += [_md(command.epilog), ""]
    lines += ["## Exit status", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {number} | {_md(text)} |" for number, text in EXIT_STATUS]
    lines += ["", "Of several images the worst counts: 2 before 1 before 3 before 0.", "", "## Environment", ""]
    for name, text in ENVIRONMENT:
        lines += [f"`{name}`", f":   {_md(text)}", ""]
    return "\n".join(lines)


def _md(text: str) -> str:
    """Help text for Markdown: one line, and nothing of it is markup."""
    text = " ".join(text.split())
    for char in "\\`*_<[|":
        text = text.replace(char, "\\" + char)
    return text


def _fold(usage: str, width: int = 88) -> list[str]:
    """The usage in lines, broken between arguments only."""
    words: list[str] = []
    depth = 0
    for word in usage.split(" "):
        if depth:
            words[-1] += f" {word}"
        else:
            words.append(word)
        depth += word.count("[") - word.count("]")
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


# --- man/pvgrub-sim.1


def man() -> str:
    """man/pvgrub-sim.1, in the macros of man(7)."""
    whole, *rest = commands(build_parser())
    lines = [
        '.\\" Written by docs/generate.py from the parser.',
        '.TH PVGRUB\\-SIM 1 "" "pvgrub\\-sim" "User Commands"',
        ".SH NAME",
        "pvgrub\\-sim \\- tells offline what PV\\-GRUB would do with a disk image",
        ".SH SYNOPSIS",
        *_man_usage(whole.usage),
        ".SH DESCRIPTION",
        _roff(whole.description),
        ".PP",
        _roff("Images are only read. A verdict that an image boots says that the kernel is handed over, no more."),
        ".SH OPTIONS",
        *_man_arguments(whole),
        ".SH COMMANDS",
    ]
    for command in rest:
        lines += [f".SS {_roff(command.name.removeprefix('pvgrub-sim '))}", _roff(command.description), ".PP"]
        lines += [*_man_usage(command.usage), *_man_arguments(command)]
        if command.epilog:
            lines += [".PP", _roff(command.epilog)]
    lines.append(".SH EXIT STATUS")
    for number, text in EXIT_STATUS:
        lines += [".TP", f".B {number}", _roff(text)]
    lines += [".PP", _roff("Of several images the worst counts: 2 before 1 before 3 before 0."), ".SH ENVIRONMENT"]
    for name, text in ENVIRONMENT:
        lines += [".TP", f".B {_roff(name)}", _roff(text)]
    lines += [
        ".SH EXAMPLES",
        ".TP",
        _roff("Would this image boot with the newest PV-GRUB of EC2?"),
        f".B {_roff('pvgrub-sim boot disk.img')}",
        ".TP",
        _roff("And with this AKI, for a CI server?"),
        f".B {_roff('pvgrub-sim boot --aki aki-176bf516 --format junit -o report.xml disk.img')}",
        ".SH SEE ALSO",
        ".BR grub (8),",
        ".BR mke2fs (8),",
        ".BR xl.cfg (5)",
    ]
    return "\n".join(lines) + "\n"


def _man_usage(usage: str) -> list[str]:
    return [".nf", *(_roff(line, keep_spaces=True) for line in _fold(usage, 72)), ".fi"]


def _man_arguments(command: Command) -> list[str]:
    lines = []
    for written, text in command.arguments:
        lines += [".TP", f".B {_roff(written)}", _roff(text) or "\\&"]
    return lines


def _roff(text: str, *, keep_spaces: bool = False) -> str:
    """Text for roff: no escapes, no requests, and hyphens that can be pasted."""
    if not keep_spaces:
        text = " ".join(text.split())
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return f"\\&{text}" if text.startswith(".") else text


# --- docs/commands.md

BUILTINS_HEAD = """# Commands

What PV-GRUB's own commands do in this simulation, one row each. Generated from the table in
`pvgrub_sim/grub/builtins`; the sources are those of GRUB 0.97 with Xen's patches and of `stubdom/grub`.

*Where*: in the **head** of menu.lst (above the first `title`), in an **entry**, at the `grubdom>` **prompt**.
A command that may not stand in the head is ignored there; one that may not stand in an entry is Error 27.
*Echo*: whether the line is printed before it runs.

Every other word, `uuid`, `search`, `quiet`, `setup`, `device`, `serial` and `md5crypt` among them, is dropped while
menu.lst is read, without an error.

"""


def _where(command: Builtin) -> str:
    """Where a command may stand."""
    if command.flags & Flag.TITLE:
        return "begins an entry"
    places = []
    if command.flags & Flag.MENU:
        places.append("head")
    if command.flags & Flag.CMDLINE:
        places += ["entry", "prompt"]
    return ", ".join(places)


def builtins() -> str:
    """docs/commands.md: PV-GRUB's own commands."""
    texts = help_texts()
    rows = ["| command | where | echo | what it does here | source |", "|---|---|---|---|---|"]
    for _name, command in sorted(all_builtins().items()):
        usage = texts.get(command.name, (command.name, ""))[0].replace("|", "\\|")
        echo = "no" if command.flags & (Flag.NO_ECHO | Flag.TITLE) else "yes"
        does = command.does.replace("|", "\\|")
        rows.append(f"| `{usage}` | {_where(command)} | {echo} | {does} | `{command.source}` |")
    return BUILTINS_HEAD + "\n".join(rows) + "\n"


PAGES = (
    (CLI_PAGE, markdown),
    (MAN_PAGE, man),
    (RULES_PAGE, rules),
    (RULE_PAGES, rule_pages),
    (COMMANDS_PAGE, builtins),
    (VERSIONS_PAGE, versions),
    *((COMPLETIONS / name, write) for name, write in WRITERS.items()),
    *SHOWING_FILES,
)


def main() -> int:
    """Write the pages, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell whether the pages are current")
    args = parser.parse_args()
    stale = []
    for path, write in PAGES:
        text = write()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not args.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'not current' if args.check else 'written'}", file=sys.stderr)
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
