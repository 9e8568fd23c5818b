"""Versions of PV-GRUB and the catalogue of AKIs, as data: each version a small delta on a base.

What AWS says of an AMI, and which AKI to use instead, follow from them. Nothing here reads an image or asks AWS.
"""

from __future__ import annotations

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.profile import Profile
from pvgrub_sim.profiles.versions import NEWEST_AMAZON, PROFILES, find_profile

__all__ = ["PROFILES", "Profile", "choose_profile", "find_profile"]


def choose_profile(
    *, aki: str | None = None, pvgrub: str | None = None, arch: str | None = None, config: str | None = None
) -> Profile:
    """The version of PV-GRUB that the arguments of boot() name; the newest of Amazon's when none does.

    arch: `x86_64` or `i386`; None takes the AKI's, else x86_64. config: the only config file that it then looks for.
    Raises UsageError when both an AKI and a version are given, when one is unknown, or when the AKI is for another
    architecture.
    """
    if aki is not None and pvgrub is not None:
        raise UsageError("an AKI names its PV-GRUB version itself: give either of the two, not both")
    if arch not in (None, "x86_64", "i386"):
        raise UsageError(f"unknown architecture {arch!r}: one of x86_64, i386")
    if aki is not None:
        from pvgrub_sim.profiles.catalogue import find_aki

        profile = find_aki(aki)
        if arch not in (None, profile.arch):
            raise UsageError(f"{aki} is an AKI for {profile.arch}, not for {arch}")
    else:
        profile = find_profile(NEWEST_AMAZON if pvgrub is None else pvgrub, arch or "x86_64")
    if config is not None:
        profile = profile._replace(config_paths=(config,))
    return profile
