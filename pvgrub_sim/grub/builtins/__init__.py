"""PV-GRUB's commands, grouped by theme; importing this package fills the table.

Not here: how a menu or a line is cut into commands (`menu/`).
"""

from __future__ import annotations

from pvgrub_sim.grub.builtins import devices, files, graphics, kernels, network, partitions, screen, settings, system
from pvgrub_sim.grub.builtins.table import BUILTINS, Builtin, Flag, find_command, run_builtin

__all__ = [
    "BUILTINS",
    "Builtin",
    "Flag",
    "devices",
    "files",
    "find_command",
    "graphics",
    "kernels",
    "network",
    "partitions",
    "run_builtin",
    "screen",
    "settings",
    "system",
]
