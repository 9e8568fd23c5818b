"""The imports of the package, read from the source with ast: those in functions too, those for types only aside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pvgrub_sim

ROOT = Path(pvgrub_sim.__file__).parent


class Import(NamedTuple):
    """A module of the package that another one imports, and in which line."""

    module: str
    line: int


@cache
def sources() -> dict[str, Path]:
    """All modules of the package by their full name; a package's is that of its __init__.py."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        words = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """What a module imports of the package, packages above what it names included: they are run as well."""
    found: dict[str, int] = {}
    for name, line in _named(sources()[module]):
        # A public name stands for the module that it comes from.
        home = pvgrub_sim._HOMES.get(name.removeprefix("pvgrub_sim."))
        words = (f"pvgrub_sim.{home}" if home else name).split(".")
        for count in range(2, len(words) + 1):
            other = ".".join(words[:count])
            # A package that the module itself lies in is there already.
            if other in sources() and other != module and not module.startswith(f"{other}."):
                found.setdefault(other, line)
    return tuple(Import(name, line) for name, line in found.items())


def _named(path: Path) -> Iterator[tuple[str, int]]:
    """Modules and names of modules that the source names, with lines."""
    for node in _nodes(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value, node.lineno


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, without the bodies of `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from _nodes(other)
            continue
        yield child
        yield from _nodes(child)


def circles() -> list[list[str]]:
    """Each set of modules that import each other, directly or through others (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_modules: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        open_modules.append(module)
        for other, _ in imports_of(module):
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in open_modules:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            at = open_modules.index(module)
            if len(open_modules) > at + 1:
                found.append(sorted(open_modules[at:]))
            del open_modules[at:]

    for module in sources():
        if module not in number:
            visit(module)
    return found
