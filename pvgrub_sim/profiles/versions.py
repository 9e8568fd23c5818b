"""The known versions of PV-GRUB and how to find one by name."""

from __future__ import annotations

import re

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.loaders import AMAZON_2010, AMAZON_2012, AMAZON_2013, STABLE
from pvgrub_sim.profiles.profile import Profile

MENU = "/boot/grub/menu.lst"
HD0_LOOKUP = (f"(hd0){MENU}",)
HD00_LOOKUP = (f"(hd0,0){MENU}",)
NINE_PLACES = (f"(hd0){MENU}", *(f"(hd0,{p}){path}" for p in range(4) for path in (MENU, "/grub/menu.lst")))
"""AWS, "User Provided Kernels": the places that 1.04 and later look at, in this order."""

_NO_EXT4 = "ext4 extents are not read before 1.03 (Amazon sent its ext4 patch to Xen in April 2012)"
_GZIP = "payloads: gzip only (xz kernels fail: Kali, Debian and TurnKey builders' reports)"
_LOADER_2010 = "kernels are taken and refused as by Xen 4.0.0 (a console log of 2010 has its words, near its lines)"
_LOADER_2012 = "kernels are taken and refused as by Xen 4.0.0 (a console log of 2014 has its words, near its lines)"
_LOADER_2013 = "kernels are taken and refused as by Xen 4.3 (front ends that consoles of 2015 and 2016 name; payloads)"
_GPT = "GPT is read as distributions' patch for GRUB legacy reads it"

_AMAZON = (
    Profile(
        "amazon-1.01",
        config_paths=HD0_LOOKUP,
        loader=AMAZON_2010,
        ext4=False,
        released="2010",
        documented=("config lookup", "no GPT"),
        inferred=(_GZIP, _NO_EXT4, _LOADER_2010),
    ),
    Profile(
        "amazon-1.02",
        config_paths=HD0_LOOKUP,
        loader=AMAZON_2010,
        ext4=False,
        released="2011",
        documented=("config lookup", "no GPT", "32-bit kernels start on t1.micro"),
        inferred=(_GZIP, _NO_EXT4, _LOADER_2010),
    ),
    Profile(
        "amazon-1.03",
        config_paths=HD0_LOOKUP,
        loader=AMAZON_2012,
        released="2012",
        documented=("config lookup", "no GPT"),
        inferred=(_GZIP, "ext4 (Xen's patch of April 2012 is Amazon's)", _LOADER_2012),
    ),
    Profile(
        "amazon-1.04",
        config_paths=NINE_PLACES,
        gpt=True,
        loader=AMAZON_2013,
        released="2013-09",
        documented=("nine config places", "GPT", "payloads gzip, bzip2, lzo, xz"),
        inferred=(_GPT, _LOADER_2013),
    ),
    Profile(
        "amazon-1.05",
        config_paths=NINE_PLACES,
        gpt=True,
        loader=AMAZON_2013,
        released="2016",
        documented=("nine config places", "GPT", "payloads gzip, bzip2, lzo, xz"),
        inferred=(_GPT, _LOADER_2013),
    ),
)

EXT4_SINCE = (4, 2)
"""Xen's patch (9fcf9e7e34, April 2012) came with this release."""
_RELEASED = {
    **{"4.0.0": 2010, "4.0": 2010, "4.1": 2011, "4.2": 2012, "4.3": 2013, "4.4.0": 2014, "4.4": 2014, "4.5": 2015},
    **{"4.6": 2015, "4.7": 2016, "4.8": 2016, "4.9": 2017, "4.10": 2017, "4.11": 2018, "4.12": 2019, "4.13": 2019},
    **{"4.14": 2020, "4.15": 2021, "4.16": 2021, "4.17": 2022, "4.18": 2023, "4.19": 2024, "4.20": 2025, "4.21": 2025},
}
"""The year of the branch's first release."""

_XEN = tuple(
    Profile(
        f"xen-{tree}",
        config_paths=HD00_LOOKUP,
        loader=loader,
        ext4=loader.xen >= EXT4_SINCE,
        released=str(_RELEASED[tree]),
    )
    for tree, loader in STABLE.items()
)
"""One for the head of each stable branch, and for two releases that differ from theirs."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (*_AMAZON, *_XEN)}
"""All versions of PV-GRUB by name, oldest first, Amazon's before Xen's."""
NEWEST_AMAZON = _AMAZON[-1].name
"""The version that is meant where none is named."""
NEWEST_VERSION = NEWEST_AMAZON.removeprefix("amazon-")
"""The same as AKIs are named: `1.05`."""

_AKI_NAME = (
    r"(?:ec2-public-images/)?pv-grub-(?P<device>hd00|hd0)[_-]V?(?P<version>1\.\d\d)-(?P<arch>i386|x86_64)(?:\.gz)?"
    r"(?:\.manifest\.xml)?"
)


def find_profile(name: str, arch: str = "x86_64") -> Profile:
    """The profile of a name such as `amazon-1.05`; raises UsageError for an unknown one.

    arch: `x86_64` or `i386`.
    """
    profile = PROFILES.get(name)
    if profile is None:
        raise UsageError(f"no PV-GRUB version called {name!r}; known are {', '.join(PROFILES)}")
    return profile._replace(arch=arch)


def profile_of_aki_name(name: str, aki: str | None = None) -> Profile:
    """The profile of an AKI's name such as `pv-grub-hd0_1.04-x86_64.gz`; raises UsageError for another name.

    aki: the id by which it was found, if it was.
    """
    match = re.fullmatch(_AKI_NAME, name.strip())
    if match is None:
        raise UsageError(f"{name!r} is not the name of a PV-GRUB AKI (pv-grub-hd0_1.05-x86_64.gz, say)")
    profile = find_profile(f"amazon-{match['version']}", match["arch"])
    device = match["device"]
    # Before 1.04 the two devices were two builds with one place each.
    paths = HD00_LOOKUP if device == "hd00" and len(profile.config_paths) == 1 else profile.config_paths
    return profile._replace(device=device, config_paths=paths, aki=aki)
