"""docs/versions.md, which docs/generate.py writes: the versions of PV-GRUB from their profiles."""

from __future__ import annotations

from pvgrub_sim.profiles import PROFILES
from pvgrub_sim.profiles.loaders import Loader

VERSIONS_HEAD = """\
# Versions

<!-- Written by docs/generate.py from the profiles: change them, then run it. -->

What `--pvgrub` takes. `xen-4.N` is the head of that stable branch; `xen-4.0.0` and `xen-4.4.0` are those releases,
which differ from their branches. Neighbours that differ in source lines alone accept and refuse the same kernels.
Commits are those of github.com/xen-project/xen.

Amazon's versions are built from a tree of Xen. Which one is inferred from consoles that users and AWS published: 1.01
to 1.03 print what Xen 4.0.0 prints, within a few source lines; the front ends that 1.04 and 1.05 name, and the payloads
that AWS lists for them, are those of Xen 4.3.

"""


def _shown(loader: Loader) -> str:
    unpacks = ", ".join(sorted(loader.payloads))
    return unpacks + (" (lz4 broken on x86_64)" if loader.lz4 == "broken" and "lz4" in loader.payloads else "")


def versions() -> str:
    """docs/versions.md: the versions of PV-GRUB, and what made each loader."""
    rows = ["| version | since | loader | unpacks | what changed |", "|---|---|---|---|---|"]
    for profile in PROFILES.values():
        loader = profile.loader
        rows.append(
            f"| `{profile.name}` | {profile.released} | Xen {loader.tree} | {_shown(loader)} | {loader.since} |"
        )
    return VERSIONS_HEAD + "\n".join(rows) + "\n"
