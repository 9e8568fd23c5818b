"""What a reader may rely on in every file: it is short, and so are its functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("pvgrub_sim", "tests", "docs", "bench", "fixtures/scripts")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
LONGEST_FILE = 330
STILL_LONG = {
    "pvgrub_sim/findings/remedies/commands.py",
    "pvgrub_sim/xen/notes.py:_take_note",
    "tests/media/writers.py",
}
"""What is being taken apart."""
LONGEST_FUNCTION = 45
"""Lines of a function's body, without its docstring."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_long(folder: str) -> None:
    files = (path for path in FILES if path.is_relative_to(ROOT / folder))
    lengths = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in files}
    assert lengths
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE and path not in STILL_LONG} == {}


def test_no_function_of_the_package_is_long() -> None:
    long = {}
    for path in FILES:
        if not path.is_relative_to(ROOT / "pvgrub_sim"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                name = f"{path.relative_to(ROOT)}:{node.name}"
                if length > LONGEST_FUNCTION and name not in STILL_LONG:
                    long[name] = length
    assert long == {}


def test_no_file_of_the_package_only_passes_names_on() -> None:
    """Imports alone make no module; a package's front door (`__init__.py`) may be one."""
    for path in FILES:
        if path.is_relative_to(ROOT / "pvgrub_sim") and path.name != "__init__.py":
            body = ast.parse(path.read_text("utf-8")).body
            own = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr))]
            assert own, path
