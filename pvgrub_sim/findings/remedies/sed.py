"""Edits of a menu as scripts of sed."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.findings.remedies.names import NotPlain, plain
from pvgrub_sim.findings.remedies.steps import Change, Edit


def expressions(edits: Iterable[Edit]) -> str:
    """Edits as arguments of sed, in their order."""
    return " ".join(f"-e {_script(edit)}" for edit in edits)


def _script(edit: Edit) -> str:
    last = edit.number + edit.span - 1
    address = f"{edit.number}" if edit.span == 1 else f"{edit.number},{last}"
    match edit.change:
        case Change.REPLACE:
            try:
                script = f"{address}s|{_pattern(plain(edit.old))}|{_replacement(plain(edit.new))}|"
            except NotPlain:
                # What goes need not be named where the line as a whole can be.
                script = f"{address}c {plain(edit.text.replace(edit.old, edit.new, 1))}"
        case Change.DELETE:
            script = f"{address}d"
        case Change.OVERWRITE:
            script = f"{address}c {plain(edit.new)}"
        case Change.BEFORE:
            script = f"{edit.number}i {plain(edit.new)}"
        case Change.AFTER:
            script = f"{last}a {plain(edit.new)}"
        case Change.APPEND:
            script = rf"{last}s|[ \t\r]*$|{_replacement(plain(edit.new))}|"
    return _single_quoted(script)


def _single_quoted(script: str) -> str:
    """A script in single quotes: no text in it holds one."""
    assert "'" not in script
    return f"'{script}'"


def _pattern(text: str) -> str:
    quoted = "".join("\\" + c if c in r"\.*[]^$|" else c for c in text)
    return quoted.replace(" ", "[ \\t]")


def _replacement(text: str) -> str:
    return "".join("\\" + c if c in "\\&|" else c for c in text)
