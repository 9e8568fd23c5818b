"""Edits of the menu: made one by one by the rules, brought together for the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pvgrub_sim.digest import Digest
from pvgrub_sim.findings.facts import menufile
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import Line
from pvgrub_sim.findings.remedies.steps import Advice, Change, Edit, EditMenu, Remedy, writable
from pvgrub_sim.findings.remedies.volumes import target_of
from pvgrub_sim.ondisk.compressed import GZIP
from pvgrub_sim.typed import Final


def substitute(line: Line, old: str, new: str) -> Edit:
    """A text in a line becomes another one."""
    return Edit(Change.REPLACE, line.number, line.span, line.text, new, old)


def delete(line: Line) -> Edit:
    """A line goes."""
    return Edit(Change.DELETE, line.number, line.span, line.text)


def overwrite(line: Line, text: str) -> Edit:
    """Another line takes the place of one."""
    return Edit(Change.OVERWRITE, line.number, line.span, line.text, text)


def insert_before(line: Line, text: str) -> Edit:
    """A new line before one."""
    return Edit(Change.BEFORE, line.number, line.span, line.text, text)


def insert_after(line: Line, text: str) -> Edit:
    """A new line behind one."""
    return Edit(Change.AFTER, line.number, line.span, line.text, text)


def append(line: Line, text: str) -> Edit:
    """More at the end of a line."""
    return Edit(Change.APPEND, line.number, line.span, line.text, text)


def set_header(case: Case, command: str, value: str) -> Edit:
    """A command of the header is set, or added above the first title."""
    assert case.menu is not None
    line = case.menu.setting(command)
    if line is not None:
        return overwrite(line, f"{command} {value}")
    return insert_before(case.menu.entries[0].title, f"{command} {value}")


def edit_menu(case: Case, *edits: Edit) -> Remedy:
    """The step that makes edits in the menu; advice where the menu cannot be written without being mounted."""
    home = case.menu_home
    if home is None:
        return (Advice(("in the menu:", *map(described, edits))),)
    place, path = home
    target = target_of(place)
    name = f"{place.device}{path}"
    if not writable(target):
        told = f"{place.type or 'This filesystem'} cannot be written without being mounted: on the running system, or"
        return (Advice((f"{told} with {place.device} mounted, in {name}:", *map(described, edits))),)
    raw = menu_text(case)
    if raw is None:
        # What PV-GRUB read is not what the file holds: the lines' numbers say nothing about the file.
        told = f"PV-GRUB reads other bytes than {name} holds: write the file anew first, then in it:"
        return (Advice((told, *map(described, edits))),)
    packed = (place.head(path, 2) or b"") == GZIP
    digest = Digest(raw).hex()
    return (EditMenu(target, place.links(path)[1], edits, digest, len(raw), packed),)


def menu_text(case: Case) -> bytes | None:
    """The menu's text, where PV-GRUB and the survey read the same; else None."""
    if case.menu_home is None:
        return None
    place, path = case.menu_home
    raw = place.head(path, menufile.MOST_BYTES + 1)
    if raw is not None and raw[:2] == GZIP:
        raw = unpacked(raw, menufile.MOST_BYTES + 1)
    if raw is None or len(raw) > menufile.MOST_BYTES or (case.menu_raw is not None and raw != case.menu_raw):
        return None
    return raw


def unpacked(raw: bytes, most: int) -> bytes | None:
    """What a whole gzip file holds, None when it is none, or holds more."""
    import zlib

    unpacker = zlib.decompressobj(31)
    try:
        text = unpacker.decompress(raw, most)
    except zlib.error:
        return None
    return text if unpacker.eof else None


def bring_together(remedies: Sequence[Remedy]) -> list[Remedy]:
    """Make one edit of all edits of a menu, which every remedy that has one of them then shares."""
    found: dict[tuple[str, int, str], list[EditMenu]] = {}
    for remedy in remedies:
        for step in remedy:
            if isinstance(step, EditMenu):
                found.setdefault((step.target.image, step.target.offset, step.path), []).append(step)
    whole = {
        key: steps[0]._replace(edits=merged(edit for step in steps for edit in step.edits), shared=len({*steps}) > 1)
        for key, steps in found.items()
    }
    return [
        tuple(
            whole[step.target.image, step.target.offset, step.path] if isinstance(step, EditMenu) else step
            for step in remedy
        )
        for remedy in remedies
    ]


def merged(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits without those that contradict an earlier one, from the bottom of the file to its top."""
    taken: list[Edit] = []
    for edit in dict.fromkeys(edits):
        others = [other for other in taken if other.number == edit.number]
        if any(_contradict(edit, other) for other in others):
            continue
        # A line that one finding puts right is not deleted by another.
        taken = [other for other in taken if other not in others or not _gives_way(other, edit)]
        taken.append(edit)
    return tuple(sorted(taken, key=lambda edit: -edit.number))


_ADDING: Final = (Change.BEFORE, Change.AFTER)
_WHOLE: Final = (Change.DELETE, Change.OVERWRITE)


def _gives_way(older: Edit, newer: Edit) -> bool:
    return older.change is Change.DELETE and newer.change not in (*_ADDING, Change.DELETE)


def _contradict(newer: Edit, older: Edit) -> bool:
    """True when an edit cannot be made together with one that has been taken, and does not come before it."""
    if newer.change in _ADDING or older.change in _ADDING:
        same = newer.change is older.change and newer.new.split(" ")[0] == older.new.split(" ")[0]
        return same
    if _gives_way(older, newer):
        return False
    if newer.change in _WHOLE or older.change in _WHOLE:
        return True
    return newer.change is older.change and (newer.change is Change.APPEND or newer.old == older.old)


def described(edit: Edit) -> str:
    """An edit in words."""
    line = f"line {edit.number}"
    match edit.change:
        case Change.REPLACE:
            return f"{line}: {edit.old} becomes {edit.new}"
        case Change.DELETE:
            return f"delete {line}: {edit.text}"
        case Change.OVERWRITE:
            return f"{line} becomes: {edit.new}"
        case Change.BEFORE:
            return f"new line before {line}: {edit.new}"
        case Change.AFTER:
            return f"new line behind {line}: {edit.new}"
        case Change.APPEND:
            return f"{line}: at its end{edit.new}"
