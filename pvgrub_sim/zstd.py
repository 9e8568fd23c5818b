"""The library for zstd: the zstandard package, of which its compiled module is enough here."""

from __future__ import annotations

import sys
from importlib import import_module

from pvgrub_sim.typed import Any, Final

PACKAGE: Final = "zstandard"
COMPILED: Final = "zstandard.backend_c"


def zstd_library() -> Any:
    """zstandard, or its compiled module alone: both have ZstdDecompressor, ZstdError and frame_content_size().

    What the package imports besides, to choose between its modules, takes ten times as long as that one.
    """
    for name in (PACKAGE, COMPILED):
        if name in sys.modules:
            return sys.modules[name]
    return _compiled() or import_module(PACKAGE)


def _compiled() -> Any:
    """The compiled module without the package around it; None where there is none, or it cannot be had alone."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    package = PathFinder.find_spec(PACKAGE)
    spec = PathFinder.find_spec(COMPILED, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        # So that the package, if something imports it later on, has the same classes.
        sys.modules[COMPILED] = module
        spec.loader.exec_module(module)
    except ImportError:
        sys.modules.pop(COMPILED, None)
        return None
    return module
