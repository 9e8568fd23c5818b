"""A menu's text with edits made: by what a line says, wherever it stands by now."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pvgrub_sim.findings.facts.menufile import Line, parse
from pvgrub_sim.findings.remedies.steps import Change, Edit
from pvgrub_sim.values import NamedTuple


class LineGone(Exception):
    """The menu has no line any more that an edit is about; str() is the line's text."""


class _Place(NamedTuple):
    """Where an edit applies: first physical line, from 0, and how many it spans."""

    first: int
    span: int
    edit: Edit


def edited(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """A menu's bytes with all edits made, from the bottom up.

    raw: the text, unpacked. Raises LineGone.
    """
    lines = list(parse_lines(raw))
    places = [_place(lines, edit) for edit in edits]
    text = raw.decode("utf-8", "surrogateescape")
    # A last line without a newline gets one, as sed does it only where it appends.
    physical = text.split("\n")
    for place in sorted(places, key=lambda place: -place.first):
        _apply(physical, place)
    return "\n".join(physical).encode("utf-8", "surrogateescape")


def parse_lines(raw: bytes) -> list[Line]:
    """All lines of a menu as PV-GRUB reads them, in order, titles included."""
    menu = parse(raw)
    return [*menu.automagic, *menu.header, *(line for entry in menu.entries for line in (entry.title, *entry.lines))]


def _place(lines: list[Line], edit: Edit) -> _Place:
    """The line that an edit is about: of those with its text the nearest to where it was."""
    found = min(
        (line for line in lines if line.text == edit.text),
        key=lambda line: abs(line.number - edit.number),
        default=None,
    )
    if found is None:
        raise LineGone(edit.text)
    return _Place(found.number - 1, found.span, edit)


def _apply(physical: list[str], place: _Place) -> None:
    first, span, edit = place
    end = first + span
    # A menu with DOS line ends keeps them.
    ending = "\r" if physical[first].endswith("\r") else ""
    match edit.change:
        case Change.DELETE:
            del physical[first:end]
        case Change.OVERWRITE:
            physical[first:end] = [edit.new + ending]
        case Change.BEFORE:
            physical.insert(first, edit.new + ending)
        case Change.AFTER:
            physical.insert(end, edit.new + ending)
            if end == len(physical) - 1:
                physical.append("")
        case Change.APPEND:
            last = physical[end - 1].rstrip(" \t\r")
            physical[end - 1] = last + edit.new + ending
        case Change.REPLACE:
            _replace(physical, first, end, edit)


def _replace(physical: list[str], first: int, end: int, edit: Edit) -> None:
    """Replace a text once in each physical line, its blanks standing for tabs too; or the line as a whole."""
    done = 0
    for at in range(first, end):
        before = physical[at]
        if "\t" in before + edit.old:
            words = edit.old.replace("\t", " ").split(" ")
            pattern = r"[ \t]".join(map(re.escape, words))
            physical[at], count = re.subn(pattern, lambda _: edit.new, before, count=1)
        else:
            physical[at], count = before.replace(edit.old, edit.new, 1), edit.old in before
        done += count
    if not done:
        # The text goes over the end of a physical line.
        ending = "\r" if physical[first].endswith("\r") else ""
        physical[first:end] = [edit.text.replace(edit.old, edit.new, 1) + ending]
