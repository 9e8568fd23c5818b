"""Profile: what one version of PV-GRUB can do."""

from __future__ import annotations

from pvgrub_sim.profiles.loaders import V4_17, Loader
from pvgrub_sim.values import NamedTuple

DEFAULT_MEMORY = 256
"""MiB of memory of a domain, where nobody says."""


class Profile(NamedTuple):
    """One version of PV-GRUB on one architecture.

    name: `amazon-1.05`, `xen-4.17`. arch: `x86_64` or `i386`. config_paths: where it looks for its config file, in
    order. gpt: reads GPT tables. loader: the kernel loader that it was built with. drivers_absent: filesystem drivers
    it lacks. memory: of the domain in which it runs, in MiB. inferred: claims that no source documents.
    """

    name: str
    arch: str = "x86_64"
    config_paths: tuple[str, ...] = ("(hd0,0)/boot/grub/menu.lst",)
    gpt: bool = False
    loader: Loader = V4_17
    ext4: bool = True
    drivers_absent: frozenset[str] = frozenset()
    device: str | None = None
    aki: str | None = None
    released: str = ""
    documented: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    memory: int = DEFAULT_MEMORY

    @property
    def payloads(self) -> frozenset[str]:
        """The formats of bzImage payloads that it unpacks."""
        return self.loader.payloads

    @property
    def lz4_broken(self) -> bool:
        """True when lz4 payloads end in "Decoding failed", but for those without matches of 4 to 7 bytes."""
        return self.loader.lz4 == "broken" and self.arch == "x86_64"

    def has_driver(self, name: str) -> bool:
        """True when the filesystem driver of that name is compiled in."""
        return name not in self.drivers_absent
