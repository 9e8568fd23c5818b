"""Where a finding is, as a value."""

from __future__ import annotations

from pvgrub_sim.values import NamedTuple


class Where(NamedTuple):
    """A spot that a finding is about; what does not apply is left out.

    device: the volume as PV-GRUB names it, `(hd0,0)`. path: a file there. line: of that file, from 1. offset: bytes
    into the file, or without a path of the volume into its image. sector: of the device, of 512 bytes. image: the disk
    image. subject: the id of an AMI or AKI, for what is on no disk.
    """

    device: str = ""
    path: str = ""
    line: int | None = None
    offset: int | None = None
    sector: int | None = None
    image: str = ""
    subject: str = ""

    @property
    def name(self) -> str:
        """`(hd0)/boot/vmlinuz`: the file or volume, without the spot in it."""
        return self.subject or f"{self.device}{self.path}"

    @property
    def text(self) -> str:
        """For a report: `(hd0)/boot/grub/menu.lst line 7`, `(hd0,0) at byte 1048576 of disk.img`."""
        found = self.name
        if self.line is not None:
            found += f" line {self.line}"
        if self.offset is not None:
            found += f" at byte {self.offset}"
        if self.sector is not None:
            found += f" sector {self.sector}"
        return found + (f" of {self.image}" if self.image else "")
