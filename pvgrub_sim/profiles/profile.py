"""Profile: what one version of PV-GRUB can do."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_MEMORY = 256
"""MiB of memory of a domain, where nobody says."""
GZIP_ONLY = frozenset({"gzip"})
AMAZON_104 = frozenset({"gzip", "bzip2", "lzo", "xz"})
NAMED_41 = frozenset({"bzip2", "lzma", "xz", "lzo"})
"""Formats that 4.1 and 4.2 know, and whose decoders the Mini-OS build lacks."""
XEN_43 = frozenset({"gzip", "bzip2", "lzma", "xz", "lzo"})
XEN_44 = XEN_43 | {"lz4"}
XEN_415 = XEN_44 | {"zstd"}


class Profile(NamedTuple):
    """One version of PV-GRUB on one architecture.

    name: `amazon-1.05`, `xen-4.17`. arch: `x86_64` or `i386`. config_paths: where it looks for its config
    file, in order. gpt: reads GPT tables. payloads: bzImage payload formats that it unpacks. recognised: formats
    that it knows by name only, and complains of by that name. xen: the Xen release whose libxc words its messages.
    lz4_broken: on x86_64 lz4 payloads end in "Decoding failed", but for those without matches of 4 to 7 bytes.
    drivers_absent: filesystem drivers it lacks. memory: of the domain in which it runs, in MiB. inferred: claims that
    no source documents.
    """

    name: str
    arch: str = "x86_64"
    config_paths: tuple[str, ...] = ("(hd0,0)/boot/grub/menu.lst",)
    gpt: bool = False
    payloads: frozenset[str] = GZIP_ONLY
    recognised: frozenset[str] = frozenset()
    xen: tuple[int, int] = (4, 17)
    lz4_broken: bool = False
    ext4: bool = True
    drivers_absent: frozenset[str] = frozenset()
    device: str | None = None
    aki: str | None = None
    released: str = ""
    documented: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    memory: int = DEFAULT_MEMORY

    def has_driver(self, name: str) -> bool:
        """True when the filesystem driver of that name is compiled in."""
        return name not in self.drivers_absent
