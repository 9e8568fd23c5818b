"""A file that the menu names."""

from __future__ import annotations

from pvgrub_sim.findings.facts.menufile import Entry, Line
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.grub.viewer import Seen
from pvgrub_sim.values import NamedTuple


class FileRef(NamedTuple):
    """A file that a reachable entry names.

    device: where, "" when the entry has no root. place: that device as it really is, None when there is none.
    seen: what PV-GRUB gets when it opens the file.
    """

    entry: Entry
    line: Line
    device: str
    path: str
    place: Place | None
    seen: Seen

    def where(self, offset: int | None = None) -> Where:
        """For a finding: the file, or a byte of it."""
        return Where(self.device, self.path, offset=offset)

    @property
    def role(self) -> str:
        """The command that names it."""
        return self.line.command
