"""What a reader may rely on in every file: it is short, and so are its functions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("pvgrub_sim", "tests", "docs", "bench", "fixtures/scripts")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
LONGEST_FILE = 330
LONGEST_FUNCTION = 45
"""Lines of a function's body, without its docstring."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_long(folder: str) -> None:
    files = (path for path in FILES if path.is_relative_to(ROOT / folder))
    lengths = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in files}
    assert lengths
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


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
                if length > LONGEST_FUNCTION:
                    long[name] = length
    assert long == {}


def test_no_file_of_the_package_only_passes_names_on() -> None:
    """Imports alone make no module; a package's front door (`__init__.py`) may be one."""
    for path in FILES:
        if path.is_relative_to(ROOT / "pvgrub_sim") and path.name != "__init__.py":
            body = ast.parse(path.read_text("utf-8")).body
            own = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr))]
            assert own, path


DECISIONS = re.findall(
    r"^\| ([^|]+) \| `([^`|]+)` \| `([^`|]+)` \|$", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.MULTILINE
)


def test_architecture_tells_where_many_things_are_decided() -> None:
    assert len(DECISIONS) >= 25


@pytest.mark.parametrize(("question", "file", "name"), DECISIONS, ids=[question for question, _, _ in DECISIONS])
def test_what_architecture_points_at_exists(question: str, file: str, name: str) -> None:
    names = set()
    for node in ast.parse((ROOT / "pvgrub_sim" / file).read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            names |= {f"{node.name}.{inner.name}" for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef)}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert name in names, question


def test_sections_are_divided_in_one_style() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in FILES
        for line in re.findall(r"^ *# *-{2,}.*$", path.read_text("utf-8"), re.MULTILINE)
        if not re.fullmatch(r" *# --- \S.*[^-]", line)
    ]
    assert wrong == []
