"""The kernel image (AKI) in use, and the newest of its kind."""

from __future__ import annotations

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.profiles.versions import NEWEST_VERSION
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.profiles.catalogue import Aki


def aki_of(case: Case) -> Aki | None:
    """The catalogue's row of the AKI in use, from the command line or the AMI's description."""
    named = case.profile.aki or (case.ami.kernel_id if case.ami else None)
    if not named:
        return None
    # Only now, for it reads the catalogue.
    from pvgrub_sim.profiles.catalogue import by_id

    return by_id(named)


def akis_like(case: Case, arch: str) -> str:
    """Where to find the newest AKI of an architecture."""
    from pvgrub_sim.profiles.catalogue import select, version_key

    row = aki_of(case)
    region = row.region if row else case.ami.region if case.ami else None
    found = select(region=region, arch=arch, device="hd0") if region else ()
    best = max(found, key=lambda one: version_key(one.version), default=None)
    if best is not None:
        return f"{best.id} ({best.name}) in {best.region}"
    return f"pv-grub-hd0_{NEWEST_VERSION}-{arch}: pvgrub-sim aki list --arch {arch} --version {NEWEST_VERSION}"
