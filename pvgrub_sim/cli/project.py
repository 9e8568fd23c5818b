"""The project file: options of `boot` that a folder of images has once and for all, in TOML.

`.pvgrub-sim.toml`, or the table `[tool.pvgrub-sim]` of `pyproject.toml`: in the working directory, or above it as far
as the folder that holds `.git`. A file that was found, and not named with --project, is taken only from the user or
root, and names files below its own folder only: whoever enters a stranger's folder does not do there what the stranger
wants.
"""

from __future__ import annotations

import argparse
import os
import re
import stat
from collections.abc import Iterator

from pvgrub_sim import UsageError
from pvgrub_sim.cli.output import complain
from pvgrub_sim.typed import Any

OWN_NAME = ".pvgrub-sim.toml"
PYPROJECT = "pyproject.toml"
LARGEST = 1 << 20
"""Bytes of a project file."""
MOST_DOTS = 20_000_000
"""The sum of the squares of a file's dots by line: so many steps does tomllib take for a key of so many parts."""
LARGEST_NUMBER = 1 << 63
_TABLE = rb"(?m)^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*[\"\']?pvgrub-sim"
_OF_ONE_RUN = frozenset({"help", "project", "no_project"})
"""Options that make no sense in a file."""
_OF_BOOT_ALONE = frozenset({"format", "output", "keys", "console", "log"})
"""Options that other commands have as well, where they are another matter."""
_FILES = frozenset({"FILE", "DIR"})
"""What an option's metavar is when its value is a file."""
_REACHING = {
    "xl_config": "names disks wherever they lie: name it on the command line, or the file with --project",
}
"""Options whose files lead out of their folder, and what is said where a file that was found has them."""


def parse(parser: argparse.ArgumentParser, command: str, words: list[str]) -> argparse.Namespace:
    """Parse a command's arguments; what they leave open is taken from a project file, then from the defaults.

    parser: of the whole command line. Lists of the file and of the arguments are added up. Raises UsageError.
    """
    own = _parser_of(parser, command)
    options = [action for action in own._actions if action.option_strings and action.dest != "help"]
    defaults = {action.dest: action.default for action in options}
    for action in options:
        # Only what somebody has written ends up in the namespace.
        action.default = argparse.SUPPRESS
    args = parser.parse_args(words)
    given = vars(args)
    path, from_file = (None, {}) if given.get("no_project") else _options(given.get("project"), command)
    if path is not None:
        given["project"] = path
    for group in own._mutually_exclusive_groups:
        members = {action.dest for action in group._group_actions}
        if members & given.keys():
            from_file = {dest: value for dest, value in from_file.items() if dest not in members}
    for dest, value in from_file.items():
        if dest in defaults:
            given[dest] = [*value, *given.get(dest, ())] if isinstance(value, list) else given.get(dest, value)
    for dest, value in defaults.items():
        given.setdefault(dest, value)
    return args


def _parser_of(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found: argparse.ArgumentParser = commands.choices[command]
    return found


# --- where it is


def _options(named: str | None, command: str) -> tuple[str | None, dict[str, Any]]:
    """A project file, and the values of its options by their names in the namespace; none where there is no file."""
    if named is not None:
        read = _read(named)
        if read is None:
            raise UsageError(f"{named}: is no file that can be read")
        table = _table(named, read[0], whole=os.path.basename(named) != PYPROJECT)  # noqa: PTH119  (pathlib would slow down every start)
        return named, _Values(named, boxed=False).of(table or {}, command)
    for folder in _folders():
        for name in (OWN_NAME, PYPROJECT):
            # pathlib would slow down every start.
            path = os.path.join(folder, name)  # noqa: PTH118  (pathlib would slow down every start)
            read = _read(path)
            if read is None or (name == PYPROJECT and not _may_have_table(read[0])) or not _is_trusted(path, read[1]):
                continue
            table = _table(path, read[0], whole=name == OWN_NAME)
            if table is not None:
                return path, _Values(path, boxed=True).of(table, command)
    return None, {}


def _may_have_table(data: bytes) -> bool:
    """Whether a pyproject.toml says anything of this program."""
    # Most have no such line: no regular expression for these.
    heads = (line for line in data.split(b"\n") if line.lstrip().startswith(b"["))
    return any(b"pvgrub-sim" in line for line in heads) and re.search(_TABLE, data) is not None


def _folders() -> Iterator[str]:
    """The working directory, and those above it up to the one that holds `.git`; only it where none does."""
    try:
        folder = os.getcwd()  # noqa: PTH109  (pathlib would slow down every start)
    except OSError:
        return
    yield folder
    above = []
    while not os.path.lexists(os.path.join(folder, ".git")):  # noqa: PTH118  (pathlib would slow down every start)
        folder, before = os.path.dirname(folder), folder  # noqa: PTH120  (pathlib would slow down every start)
        if folder == before:
            return
        above.append(folder)
    yield from above


def _read(path: str) -> tuple[bytes, os.stat_result] | None:
    """A regular file and whose it is; None when there is none that can be read. Raises UsageError for a large one."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    with open(handle, "rb") as file:  # noqa: PTH123  (pathlib would slow down every start)
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return None
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"{path}: more than {LARGEST} bytes, no project file")
    return data, about


def _is_trusted(path: str, about: os.stat_result) -> bool:
    """Whether a file that was found belongs to the user or to root, and nobody else may write it."""
    if about.st_uid in (0, os.geteuid()) and not about.st_mode & stat.S_IWOTH:
        return True
    complain(f"{path}: belongs to somebody else and is not taken; --project names it all the same")
    return False


def _table(path: str, data: bytes, *, whole: bool) -> dict[str, Any] | None:
    """The options' table: the whole file, or `[tool.pvgrub-sim]` of a pyproject.toml, None when that has none."""
    import tomllib

    if sum(line.count(b".") ** 2 for line in data.split(b"\n")) > MOST_DOTS:
        raise UsageError(f"{path}: is no project file: a line of more dots than a key has")
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    if whole:
        return content
    tool = content.get("tool")
    table = tool.get("pvgrub-sim") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: tool.pvgrub-sim is no table")
    return table


# --- what it says


class _Values:
    """Makes values of what one file says.

    boxed: it may name files below its own folder only.
    """

    def __init__(self, path: str, *, boxed: bool) -> None:
        self._path = path
        self._folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120  (pathlib would slow down every start)
        self._boxed = boxed

    def of(self, table: dict[str, Any], command: str) -> dict[str, Any]:
        """The values by their names in the namespace; raises UsageError for what `boot` has no option for."""
        from pvgrub_sim.cli.boot import configure

        parser = argparse.ArgumentParser()
        configure(parser)
        known = {
            name: action
            for action in parser._actions
            for name in action.option_strings
            if name.startswith("--") and action.dest not in _OF_ONE_RUN
        }
        values: dict[str, Any] = {}
        for key, value in table.items():
            action = known.get(f"--{key}")
            if action is None:
                raise self._error(key, "is no option of `pvgrub-sim boot`")
            if command == "boot" or action.dest not in _OF_BOOT_ALONE:
                values[action.dest] = self._value(key, value, action)
        for group in parser._mutually_exclusive_groups:
            if len(both := [a.option_strings[-1] for a in group._group_actions if values.get(a.dest)]) > 1:
                raise UsageError(f"{self._path}: {' and '.join(both)} exclude each other")
        return values

    def _error(self, key: str, what: str) -> UsageError:
        return UsageError(f"{self._path}: {key}: {what}")

    def _value(self, key: str, value: Any, action: argparse.Action) -> Any:
        if action.nargs == 0:
            if not isinstance(value, bool):
                raise self._error(key, "wants true or false")
            return value
        if isinstance(action.default, list):
            if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
                # Reasons of ignored rules, and images by their devices.
                value = [f"{name}={text}" for name, text in value.items()]
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise self._error(key, "wants a list of texts, or a table of them")
            return [self._one(key, one, action) for one in value]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self._error(key, "wants a text or a number")
        if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
            raise self._error(key, "is too large a number")
        return self._one(key, str(value), action)

    def _one(self, key: str, text: str, action: argparse.Action) -> Any:
        """A text as the option takes it: converted, one of its choices, a file seen from the project file's folder."""
        if action.metavar in _FILES:
            text = self._file(key, text)
            if self._boxed and action.dest in _REACHING:
                raise self._error(key, _REACHING[action.dest])
            if self._boxed and action.dest == "output" and not _is_for_a_report(text, self._folder):
                raise self._error(key, "is no place for a report: it is hidden, or a program")
        elif action.dest == "disk":
            device, equals, path = text.partition("=")
            text = f"{device}{equals}{self._file(key, path)}"
        convert: Any = action.type or str
        try:
            value = convert(text)
        except (ValueError, TypeError):
            raise self._error(key, f"{text!r} will not do") from None
        if action.choices is not None and value not in action.choices:
            raise self._error(key, f"{text!r} is none of {', '.join(map(str, action.choices))}")
        return value

    def _file(self, key: str, name: str) -> str:
        path = os.path.join(self._folder, name)  # noqa: PTH118  (pathlib would slow down every start)
        if not self._boxed:
            return name if ":" in name else path
        home = os.path.realpath(self._folder)
        # realpath() takes no NUL.
        inside = "\0" not in name and os.path.realpath(path).startswith(home.rstrip("/") + "/")
        if ":" in name or not inside:
            raise self._error(
                key, f"{name!r} is not below the file's folder: name it on the command line, or the file with --project"
            )
        return path


def _is_for_a_report(path: str, folder: str) -> bool:
    """Whether a report may be written there because a stranger's folder says so.

    Not where programs look for what they are to do: names that begin with a dot (`.git/hooks`), and what can be run.
    """
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    return not any(part.startswith(".") for part in inside.split("/")) and not os.access(path, os.X_OK)
