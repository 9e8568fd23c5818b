"""The compiled module of the zstandard package without the package, and the package where that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pvgrub_sim.zstd import COMPILED, PACKAGE, zstd_library
from tests.tools import run

NEEDED = ("ZstdDecompressor", "ZstdError", "frame_content_size")


def test_it_unpacks_what_zstd_has_packed(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"initrd " * 40_000)
    packed = run("zstd", "-q", "-c", content)
    library = zstd_library()
    assert library.frame_content_size(packed) == len(content.read_bytes())
    assert library.ZstdDecompressor().decompress(packed) == content.read_bytes()
    with pytest.raises(library.ZstdError):
        library.ZstdDecompressor().decompress(packed[:12])


def test_the_package_and_what_it_imports_are_left_out() -> None:
    code = """
import sys
from pathlib import Path
from pvgrub_sim.zstd import zstd_library
library = zstd_library()
print(library.__name__, library is zstd_library(), *({"zstandard", "platform", "typing"} & set(sys.modules)))
"""
    assert run(sys.executable, "-c", code) == f"{COMPILED} True\n".encode()


def test_who_imports_the_package_later_has_the_same_classes() -> None:
    code = """
from pvgrub_sim.zstd import zstd_library
library = zstd_library()
import zstandard
print(library.ZstdError is zstandard.ZstdError, zstd_library() is zstandard)
"""
    assert run(sys.executable, "-c", code) == b"True True\n"


@pytest.mark.parametrize("missing", ["no-module", "no-spec", "broken"])
def test_where_it_cannot_be_had_alone_the_package_is_taken(missing: str) -> None:
    code = f"""
import sys
from pathlib import Path
from importlib.machinery import ExtensionFileLoader, PathFinder
find, make, kind = PathFinder.find_spec, ExtensionFileLoader.create_module, {missing!r}
broken = [1]
def find_spec(name, *rest):
    if name == "zstandard" and kind == "no-module" and broken and broken.pop():
        return None
    if name == "zstandard.backend_c" and kind == "no-spec" and broken and broken.pop():
        return None
    return find(name, *rest)
def create_module(self, spec):
    if spec.name == "zstandard.backend_c" and kind == "broken" and broken and broken.pop():
        raise ImportError("not for this system")
    return make(self, spec)
PathFinder.find_spec, ExtensionFileLoader.create_module = find_spec, create_module
from pvgrub_sim.zstd import zstd_library
print(zstd_library().__name__, *broken)
"""
    assert run(sys.executable, "-c", code) == f"{PACKAGE}\n".encode()


def test_the_package_offers_the_same() -> None:
    import zstandard

    assert all(hasattr(zstandard, name) and hasattr(sys.modules[COMPILED], name) for name in NEEDED)
