"""The catalogue of PV-GRUB AKIs: id, region, device, version, architecture, and where each row comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.profile import Profile
from pvgrub_sim.profiles.versions import profile_of_aki_name


@dataclass(frozen=True, slots=True)
class Aki:
    """One row: an Amazon kernel image (AKI) that is a PV-GRUB."""

    id: str
    region: str
    name: str
    device: str
    version: str
    arch: str
    source: str


@cache
def catalogue() -> tuple[Aki, ...]:
    """All rows, in the order of the data file."""
    text = files("pvgrub_sim.profiles").joinpath("aki_catalogue.json").read_text("utf-8")
    return tuple(Aki(**row) for row in json.loads(text))


def find_aki(text: str) -> Profile:
    """The profile of an AKI id or name; raises UsageError when it is neither known nor of a PV-GRUB's form."""
    if text.startswith("aki-"):
        for row in catalogue():
            if row.id == text:
                return profile_of_aki_name(row.name, row.id)
        raise UsageError(f"{text} is not in the catalogue of PV-GRUB AKIs")
    return profile_of_aki_name(text)
