"""The command line is a user like any other: of ours it imports public names only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import pvgrub_sim
from pvgrub_sim import cli

MODULES = sorted(Path(cli.__file__).parent.glob("*.py"))
OPTIONAL = {"progress.py": {"rich"}}
"""Packages that a command needs, and says so when they are not there."""
TYPING = "pvgrub_sim.typed"
"""What stands for the standard library's typing."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports_are_public_names(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules = {alias.name.partition(".")[0] for alias in node.names}
            assert modules <= sys.stdlib_module_names | OPTIONAL.get(path.name, set()), f"{path.name}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            module = node.module or ""
            if module == "pvgrub_sim":
                names = {alias.name for alias in node.names}
                assert names <= set(pvgrub_sim.__all__), f"{path.name}:{node.lineno}"
            elif module.partition(".")[0] == "pvgrub_sim":
                assert module == TYPING or module.startswith("pvgrub_sim.cli"), f"{path.name}:{node.lineno}: {module}"
            else:
                assert module.partition(".")[0] in sys.stdlib_module_names, f"{path.name}:{node.lineno}: {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_of_akis_only_public_names_are_used(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "akis":
            assert node.attr in pvgrub_sim.akis.__all__, f"{path.name}:{node.lineno}: akis.{node.attr}"
