"""Versions of PV-GRUB: each a small delta on a base, as data."""

from __future__ import annotations

from pvgrub_sim.profiles.profile import Profile
from pvgrub_sim.profiles.versions import PROFILES, find_profile

__all__ = ["PROFILES", "Profile", "find_profile"]
