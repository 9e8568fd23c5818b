"""Imports point one way only, without circles: the layers and floors of docs/architecture.md, read with ast."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pvgrub_sim
from tests.imports import ROOT, circles, imports_of, sources

LAYERS: tuple[tuple[str, ...], ...] = (
    ("typed",),
    ("deflate", "zstd"),
    ("values", "shapes", "addresses"),
    ("model", "errors", "cint", "digest", "safetext", "budget", "confine", "transcript", "large_pages", "work_folder"),
    ("inputs",),
    ("ondisk", "profiles"),
    ("media", "initramfs"),
    ("grub", "xen", "survey", "xl"),
    ("bootchain", "image", "keys", "live"),
    ("findings", "kernels"),
    ("request",),
    ("meanwhile",),
    ("verdict",),
    ("akis", "isolated", "repair", "session"),
    ("report",),
    ("fleet",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
ONLY_MODEL = {"report": {"model", "safetext", "typed", "values", "shapes"}}
"""Parts that may import less than all that is below them."""


FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "grub": (
        ("errnum", "stop", "words"),
        ("machine",),
        ("disk", "console"),
        ("fs",),
        ("file",),
        ("builtins",),
        ("menu",),
        ("stage2", "viewer"),
    ),
    "findings": (("facts",), ("remedies",), ("rule",), ("rules",), ("examine",), ("plan",), ("pages",)),
}
"""The same inside of a part, lowest first; members of one floor do not import each other."""


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[tuple[str, int]]:
    """The parts of pvgrub_sim that a module imports, with line numbers; the package's own lazy names aside."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [node.module or ""]
            if node.module == "pvgrub_sim":
                names = [f"pvgrub_sim.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            words = name.split(".")
            if words[0] == "pvgrub_sim" and len(words) > 1:
                found.add((words[1], node.lineno))
    return found


MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    assert own in RANK, f"{own} has no layer"
    for other, line in imported_parts(path):
        if other == own or other not in RANK:
            # `from pvgrub_sim import __version__` and the public names
            assert other == own or hasattr(pvgrub_sim, other), f"{path}:{line}: {other} has no layer"
            continue
        assert RANK[other] < RANK[own], f"{path}:{line}: {own} must not import {other}"
        if own in ONLY_MODEL:
            assert other in ONLY_MODEL[own], f"{path}:{line}: {own} may import {ONLY_MODEL[own]} only"


def room_of(module: str, part: str) -> str:
    """`disk` for pvgrub_sim.grub.disk.raw in the part grub; "" for the part itself and what lies outside."""
    return module.removeprefix(f"pvgrub_sim.{part}.").split(".")[0] if module.startswith(f"pvgrub_sim.{part}.") else ""


@pytest.mark.parametrize("part", FLOORS)
def test_inside_a_part_imports_point_down(part: str) -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS[part]) for room in rooms}
    for module in sources():
        own = room_of(module, part)
        if not own:
            continue
        assert own in floor, f"{module} has no floor"
        for other, line in imports_of(module):
            room = room_of(other, part)
            if not room or room == own:
                continue
            assert room in floor, f"{module}:{line}: {other} has no floor"
            assert floor[room] < floor[own], f"{module}:{line}: {own} must not import {room}"


def test_no_modules_import_each_other() -> None:
    assert circles() == []
