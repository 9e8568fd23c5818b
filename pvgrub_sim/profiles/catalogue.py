"""The catalogue of PV-GRUB AKIs: id, region, device, version, architecture, and where each row comes from."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.profile import Profile
from pvgrub_sim.profiles.versions import profile_of_aki_name
from pvgrub_sim.values import NamedTuple


class Aki(NamedTuple):
    """One row: an Amazon kernel image (AKI) that is a PV-GRUB."""

    id: str
    region: str
    name: str
    device: str
    version: str
    arch: str
    source: str
    note: str = ""
    """What is doubtful about the row, where something is."""


@cache
def catalogue() -> tuple[Aki, ...]:
    """All rows, in the order of the data file."""
    text = files("pvgrub_sim.profiles").joinpath("aki_catalogue.json").read_text("utf-8")
    return tuple(Aki(**row) for row in json.loads(text))


def version_key(version: str) -> tuple[int, ...]:
    """A version such as `1.04`, to sort by."""
    return tuple(int(part) for part in version.split("."))


def by_id(aki: str) -> Aki | None:
    """The row of an id, None when it is not catalogued; ids are unique across regions."""
    return next((row for row in catalogue() if row.id == aki), None)


def regions() -> tuple[str, ...]:
    """The regions that the catalogue has rows of, sorted."""
    return tuple(sorted({row.region for row in catalogue()}))


def select(
    *, region: str | None = None, arch: str | None = None, version: str | None = None, device: str | None = None
) -> tuple[Aki, ...]:
    """The rows that match all that is given. Raises UsageError for a region that has no rows at all."""
    if region is not None and region not in regions():
        raise UsageError(f"no PV-GRUB AKI of region {region!r} is catalogued; there are {', '.join(regions())}")
    return tuple(
        row
        for row in catalogue()
        if (region is None or row.region == region)
        and (arch is None or row.arch == arch)
        and (version is None or row.version == version)
        and (device is None or row.device == device)
    )


def find_aki(text: str) -> Profile:
    """The profile of an AKI id or name; raises UsageError when it is neither known nor of a PV-GRUB's form."""
    if text.startswith("aki-"):
        row = by_id(text)
        if row is not None:
            return profile_of_aki_name(row.name, row.id)
        raise UsageError(f"{text} is not in the catalogue of PV-GRUB AKIs")
    return profile_of_aki_name(text)
