"""The console that PV-GRUB draws on."""

from __future__ import annotations


class Terminal:
    """Collects what PV-GRUB prints, as bytes."""

    def __init__(self) -> None:
        self._out = bytearray()

    def write(self, text: bytes) -> None:
        """Print through GRUB's terminal (grub_putchar())."""
        self._out += text

    def printk(self, text: bytes) -> None:
        """Print through Mini-OS's console, past GRUB's terminal."""
        self._out += text
