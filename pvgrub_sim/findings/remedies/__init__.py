"""Remedies: steps as data, the makers that build them from facts, and the one place where they become text.

What is inside: the kinds of step (steps.py), the volumes that they work on (volumes.py), makers (edits.py, files.py),
the gate for names (names.py), and the two forms that a step has: commands for a shell (commands.py) and words for a
person (words.py). What is not: the reasons, which are the rules'.

The makers are imported when a rule asks for one, as `remedies.menus.new_menu()`: most have nothing to mend.
"""

from __future__ import annotations

from importlib import import_module

from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from pvgrub_sim.findings.remedies import (
        automagic,
        boot_disks,
        files,
        initrds,
        menus,
        tables,
        volumes,
    )

__all__ = ["automagic", "boot_disks", "files", "initrds", "menus", "tables", "volumes"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
