"""vbd numbers of device names, and the order of the disks."""

from __future__ import annotations

import pytest

from pvgrub_sim.errors import UsageError
from pvgrub_sim.media import vbd_number

KNOWN = {
    # EC2 console logs: `vbd 2049 is hd0`, `vbd 2128 is hd1`; Xen's docs/misc/vbd-interface.txt for the rest.
    "/dev/sda": 2048,
    "/dev/sda1": 2049,
    "/dev/sda2": 2050,
    "/dev/sda3": 2051,
    "/dev/sdb": 2064,
    "/dev/sdf": 2128,
    "/dev/xvda": 51712,
    "/dev/xvda1": 51713,
    "xvdb": 51728,
    "/dev/xvdp15": 51967,
    "/dev/xvdq": (1 << 28) | (16 << 8),
    "hda": 768,
    "hdb1": 833,
    "hdc": 5632,
    "2049": 2049,
}


@pytest.mark.parametrize(("device", "number"), KNOWN.items())
def test_number(device: str, number: int) -> None:
    assert vbd_number(device) == number


@pytest.mark.parametrize("device", ["", "/dev/", "/dev/sda16", "/dev/vda", "sd", "/dev/sda1x", "/dev/sdq", "-1"])
def test_other_names_are_refused(device: str) -> None:
    with pytest.raises(UsageError):
        vbd_number(device)
