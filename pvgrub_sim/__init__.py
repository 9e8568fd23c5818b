"""pvgrub-sim: what PV-GRUB would do with a disk image, told offline."""

from __future__ import annotations

__version__ = "0.1.0"
