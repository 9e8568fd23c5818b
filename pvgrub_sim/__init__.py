"""pvgrub-sim: what PV-GRUB would do with a disk image, told offline.

    from pvgrub_sim import boot
    verdict = boot("disk.img", pvgrub="amazon-1.05")
    assert verdict.boots_default, verdict.console
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pvgrub_sim.errors import ImageError, KernelFormatError, PvgrubSimError, UsageError
    from pvgrub_sim.judge import boot
    from pvgrub_sim.model import BootError, Event, Finding, LoadedFile, Outcome, Severity, Verdict
    from pvgrub_sim.profiles import PROFILES, Profile

__version__ = "0.1.0"

_HOMES = {
    "boot": "pvgrub_sim.judge",
    "BootError": "pvgrub_sim.model",
    "Event": "pvgrub_sim.model",
    "Finding": "pvgrub_sim.model",
    "LoadedFile": "pvgrub_sim.model",
    "Outcome": "pvgrub_sim.model",
    "Severity": "pvgrub_sim.model",
    "Verdict": "pvgrub_sim.model",
    "PROFILES": "pvgrub_sim.profiles",
    "Profile": "pvgrub_sim.profiles",
    "ImageError": "pvgrub_sim.errors",
    "KernelFormatError": "pvgrub_sim.errors",
    "PvgrubSimError": "pvgrub_sim.errors",
    "UsageError": "pvgrub_sim.errors",
}
"""Where each public name lives: it is imported when it is first asked for, so that the command line starts fast."""

__all__ = [
    "PROFILES",
    "BootError",
    "Event",
    "Finding",
    "ImageError",
    "KernelFormatError",
    "LoadedFile",
    "Outcome",
    "Profile",
    "PvgrubSimError",
    "Severity",
    "UsageError",
    "Verdict",
    "boot",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
