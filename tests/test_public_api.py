"""The public interface: what `pvgrub_sim.__all__` names is there, documented, typed, and shown in docs/api.md."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import inspect
import io
import itertools
import pkgutil
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import pvgrub_sim
from pvgrub_sim import akis, values
from tests.images import unpack_sparse

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

PUBLIC = {
    **{name: getattr(pvgrub_sim, name) for name in pvgrub_sim.__all__},
    **{f"akis.{name}": getattr(akis, name) for name in akis.__all__},
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
CONSTANTS = {name for name, value in PUBLIC.items() if not callable(value) and not inspect.ismodule(value)}

INTERNAL_FIELDS = {("Rule", "check")}
"""Fields of public types that are of no use outside, whose types stay inside."""


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    value = PUBLIC[name]
    if name in CONSTANTS:
        assert name.removeprefix("akis.") in documented_constants(), f"{name} has no text below its assignment"
        return
    text = inspect.getdoc(value)
    assert text
    if inspect.isclass(value):
        assert vars(value).get("__doc__"), "its own docstring, not that of a base"
        assert not text.startswith(f"{value.__name__}("), "not the one that dataclass writes"
    assert re.match(r"[A-Z].*[.:]", text.replace("\n", " ")), "begins with a sentence"


@functools.cache
def documented_constants() -> set[str]:
    """The assigned names of the package that a string follows."""
    found = set()
    for path in Path(pvgrub_sim.__file__).parent.rglob("*.py"):
        body = ast.parse(path.read_text("utf-8")).body
        for node, after in itertools.pairwise(body):
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found.add(target.id)
    return found


def test_every_lazy_name_is_public_and_typed() -> None:
    body = ast.parse(Path(pvgrub_sim.__file__).read_text("utf-8")).body
    (typed,) = (node for node in body if isinstance(node, ast.If))
    imports = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    imported = {alias.name: node.module for node in imports for alias in node.names}
    assert {*imported, "__version__"} == set(pvgrub_sim.__all__)
    assert imported.pop("akis") == "pvgrub_sim"
    assert imported == {name: f"pvgrub_sim.{home}" for name, home in pvgrub_sim._HOMES.items()}
    assert sorted(pvgrub_sim.__all__) == sorted(set(pvgrub_sim.__all__))
    assert set(pvgrub_sim.__all__) <= set(dir(pvgrub_sim))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = pvgrub_sim.nothing
    assert not hasattr(pvgrub_sim, "_nothing")


def test_no_submodule_takes_the_place_of_a_public_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(pvgrub_sim.__path__)}
    assert modules & set(pvgrub_sim.__all__) == {"akis"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_fully_annotated(name: str) -> None:
    signature = inspect.signature(FUNCTIONS[name])
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_name_every_argument(name: str) -> None:
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    if len(inspect.signature(FUNCTIONS[name]).parameters) > 1 and "rguments and errors as for" not in text:
        for argument in list(inspect.signature(FUNCTIONS[name]).parameters)[1:]:
            assert argument in text, f"{name}() says nothing of {argument}"


@pytest.mark.parametrize("name", CLASSES)
def test_public_members_are_documented(name: str) -> None:
    for member, value in vars(CLASSES[name]).items():
        if member.startswith("_") or not (inspect.isfunction(value) or isinstance(value, property)):
            continue
        assert inspect.getdoc(value), f"{name}.{member}"
        function = value.fget if isinstance(value, property) else value
        assert function is not None and "return" in function.__annotations__, f"{name}.{member}"


def fields(value: type) -> tuple[str, ...]:
    """The fields of a dataclass or named tuple; none of another class."""
    if dataclasses.is_dataclass(value):
        return tuple(field.name for field in dataclasses.fields(value))
    return getattr(value, "_fields", ())


def types_in(hint: Any) -> Iterator[type]:
    if inspect.isclass(hint):
        yield hint
    for argument in typing.get_args(hint):
        yield from types_in(argument)


def hints(name: str) -> Iterator[tuple[str, Any]]:
    """What a public function takes and returns, and the fields and properties of a public class."""
    value = PUBLIC[name]
    names = {key.rpartition(".")[2]: public for key, public in PUBLIC.items()}

    def of(thing: Any) -> dict[str, Any]:
        return typing.get_type_hints(thing, localns=names)

    if name in FUNCTIONS:
        yield from of(value).items()
    elif fields(value):
        space = vars(sys.modules[value.__module__])
        for field in fields(value):
            if (name, field) not in INTERNAL_FIELDS:
                written = value.__annotations__[field]
                yield field, eval(getattr(written, "__forward_arg__", str(written)), {**space}, names)
        for member, thing in vars(value).items():
            if isinstance(thing, property):
                yield member, of(thing.fget)["return"]


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_what_a_public_name_takes_and_gives_is_public(name: str) -> None:
    public = set(CLASSES.values())
    for where, hint in hints(name):
        for one in types_in(hint):
            assert one in public or not one.__module__.startswith("pvgrub_sim"), f"{name} {where}: {one}"


def test_values_are_frozen() -> None:
    for name, value in CLASSES.items():
        if dataclasses.is_dataclass(value):
            assert value.__dataclass_params__.frozen, name
        else:
            live = {"Disk", "Engine", "LoaderMemory", "MachineOptions", "Session"}
            assert issubclass(value, (Enum, values.Enum, Exception, tuple)) or name in live


IMPORTS = """
from pvgrub_sim import boot
assert callable(boot) and boot.__name__ == "boot", boot
import pvgrub_sim, pvgrub_sim.verdict, pvgrub_sim.bootchain, pvgrub_sim.akis
import pvgrub_sim.cli.boot, pvgrub_sim.cli.explain
import pvgrub_sim.findings.pages, pvgrub_sim.report.text, pvgrub_sim.survey, pvgrub_sim.kernels, pvgrub_sim.image
from pvgrub_sim import boot as again, explain, akis
assert again is boot is pvgrub_sim.boot
assert callable(explain) and akis.__name__ == "pvgrub_sim.akis"
"""


@pytest.mark.parametrize(
    "code",
    [
        IMPORTS,
        "import pvgrub_sim.cli.boot, pvgrub_sim.verdict\nfrom pvgrub_sim import boot\nassert boot.__name__ == 'boot'",
        "import pvgrub_sim, sys\nassert not [name for name in sys.modules if name.startswith('pvgrub_sim.')]",
        "from pvgrub_sim import *\nassert boot.__name__ == 'boot' and akis.regions()",
        "import pvgrub_sim\nassert pvgrub_sim.akis.regions() and pvgrub_sim.PROFILES['amazon-1.05'].gpt",
    ],
    ids=["before-and-after", "after", "lazy", "star", "attributes"],
)
def test_imports_in_a_fresh_python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- docs/api.md


@pytest.mark.parametrize("name", PUBLIC)
def test_the_page_names_it(name: str) -> None:
    assert re.search(rf"`[^`]*\b{re.escape(name.removeprefix('akis.'))}\b|^[├└]── {name}\b", PAGE, re.MULTILINE) or (
        f"\n{name}\n" in PAGE
    )


@pytest.mark.parametrize("name", CLASSES)
def test_the_page_names_the_fields_of_what_boot_returns(name: str) -> None:
    row = re.search(rf"^\| `{name}`(?:, `\w+`)? \|(.*)$", PAGE, re.MULTILINE)
    if row is not None:
        for field in fields(CLASSES[name]):
            assert f"`{field}`" in row[1]


EXAMPLES = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("code", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_the_page(code: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "disk.img")
    shutil.copy(FIXTURES / "describe-images-sample.json", tmp_path / "describe-images.json")
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/api.md", "exec"), {"__name__": "example"})
    assert out.getvalue() == expected
