"""Imports point one way only: the layers of docs/architecture.md, read from the source with ast."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pvgrub_sim

ROOT = Path(pvgrub_sim.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("model", "errors", "cint", "safetext"),
    ("ondisk", "profiles", "media"),
    ("grub", "xen", "survey"),
    ("bootchain", "image"),
    ("findings", "kernels"),
    ("request",),
    ("verdict",),
    ("akis", "repair"),
    ("report",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
ONLY_MODEL = {"report": {"model", "safetext"}}
"""Parts that may import less than all that is below them."""


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
