"""The known versions of PV-GRUB and how to find one by name."""

from __future__ import annotations

import re

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.profile import AMAZON_104, NAMED_41, XEN_43, XEN_44, XEN_415, Profile

MENU = "/boot/grub/menu.lst"
HD0_LOOKUP = (f"(hd0){MENU}",)
HD00_LOOKUP = (f"(hd0,0){MENU}",)
NINE_PLACES = (f"(hd0){MENU}", *(f"(hd0,{p}){path}" for p in range(4) for path in (MENU, "/grub/menu.lst")))
"""AWS, "User Provided Kernels": the places that 1.04 and later look at, in this order."""

_NO_EXT4 = ("ext4 extents are not read before 1.03 (Amazon sent its ext4 patch to Xen in April 2012)",)
_WORDING = "words of refused kernels: those of Xen 4.17"
_OLD_WORDING = "words of refused kernels: those of Xen 4.0 (console logs of 2010 agree)"
_GZIP = "payloads: gzip only (xz kernels fail: Kali, Debian and TurnKey builders' reports)"

_AMAZON = (
    Profile(
        "amazon-1.01",
        config_paths=HD0_LOOKUP,
        xen=(4, 0),
        ext4=False,
        released="2010",
        documented=("config lookup", "no GPT"),
        inferred=(_GZIP, *_NO_EXT4, _OLD_WORDING),
    ),
    Profile(
        "amazon-1.02",
        config_paths=HD0_LOOKUP,
        xen=(4, 0),
        ext4=False,
        released="2011",
        documented=("config lookup", "no GPT", "32-bit kernels start on t1.micro"),
        inferred=(_GZIP, *_NO_EXT4, _OLD_WORDING),
    ),
    Profile(
        "amazon-1.03",
        config_paths=HD0_LOOKUP,
        released="2012",
        documented=("config lookup", "no GPT"),
        inferred=(_GZIP, "ext4 (Xen's patch of April 2012 is Amazon's)", _WORDING),
    ),
    Profile(
        "amazon-1.04",
        config_paths=NINE_PLACES,
        gpt=True,
        payloads=AMAZON_104,
        released="2013-09",
        documented=("nine config places", "GPT", "payloads gzip, bzip2, lzo, xz"),
        inferred=("GPT is read as distributions' patch for GRUB legacy reads it", _WORDING),
    ),
    Profile(
        "amazon-1.05",
        config_paths=NINE_PLACES,
        gpt=True,
        payloads=AMAZON_104,
        released="2016",
        documented=("nine config places", "GPT", "payloads gzip, bzip2, lzo, xz"),
        inferred=("GPT is read as distributions' patch for GRUB legacy reads it", _WORDING),
    ),
)

_XEN = (
    Profile("xen-4.1", config_paths=HD00_LOOKUP, recognised=NAMED_41, xen=(4, 1), ext4=False, released="2011"),
    Profile("xen-4.2", config_paths=HD00_LOOKUP, recognised=NAMED_41, xen=(4, 2), released="2012"),
    Profile("xen-4.3", config_paths=HD00_LOOKUP, payloads=XEN_43, xen=(4, 3), released="2013"),
    Profile("xen-4.4", config_paths=HD00_LOOKUP, payloads=XEN_44, xen=(4, 4), released="2014"),
    # 4.4.3 to 4.4.4, 4.5.1 to 4.11.3, 4.12.0 and 4.12.1
    Profile("xen-4.6", config_paths=HD00_LOOKUP, payloads=XEN_44, xen=(4, 6), lz4_broken=True, released="2015"),
    # 4.11.4, 4.12.2 and later
    Profile("xen-4.14", config_paths=HD00_LOOKUP, payloads=XEN_44, xen=(4, 14), released="2020"),
    Profile("xen-4.15", config_paths=HD00_LOOKUP, payloads=XEN_415, xen=(4, 15), released="2021"),
    Profile("xen-4.17", config_paths=HD00_LOOKUP, payloads=XEN_415, xen=(4, 17), released="2022"),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (*_AMAZON, *_XEN)}
"""All versions of PV-GRUB by name, oldest first, Amazon's before Xen's."""
NEWEST_AMAZON = _AMAZON[-1].name
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
