"""ami:ami-…: an AMI, as DescribeImages tells of it: its snapshots as disks, its AKI and ARI, its architecture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.machine import MOST_DISKS, Booting, MachineDisk
from pvgrub_sim.media.sources.aws import LONGEST_PAGE, call, client, short
from pvgrub_sim.media.sources.ebs import open_snapshot
from pvgrub_sim.media.vbd import vbd_number
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

_SNAPSHOT: Final = re.compile(r"snap-[0-9a-f]{8,17}")
_ID: Final = re.compile(r"ami:(?://)?(ami-[0-9a-f]{8,17})")


def open_ami(name: str, context: Context) -> Disk:
    """The disks of an AMI, the root device first; raises UsageError for what is no `ami:ami-…`, and ImageError."""
    match = _ID.fullmatch(name)
    if match is None:
        raise UsageError(f"{name}: not of the form ami:ami-0123456789abcdef0")
    ec2 = client(name, "ec2", context, LONGEST_PAGE)
    try:
        answer = call(name, lambda: ec2.describe_images(ImageIds=[match[1]]))
    finally:
        ec2.close()
    images = [one for one in answer.get("Images") or () if isinstance(one, dict) and one.get("ImageId") == match[1]]
    if len(images) != 1:
        raise ImageError(name, f"AWS knows {len(images) or 'no'} such images in {ec2.meta.region_name}")
    description = images[0]
    found = snapshots(name, description)
    ebs = client(name, "ebs", context, LONGEST_PAGE)
    with ExitStack() as stack:
        stack.callback(ebs.close)
        disks: list[tuple[str, Disk]] = []
        for device, snapshot in found:
            # Whichever is closed closes connections only; the client opens others when it needs them.
            disk = open_snapshot(name, snapshot, ebs, context, f"{device} ({snapshot}): ")
            stack.callback(disk.close)
            disks.append((device, disk))
        stack.pop_all()
    hvm = description.get("VirtualizationType") == "hvm"
    plain = {key: value for key, value in description.items() if key in _KEPT}
    return MachineDisk(name, disks, Booting(hvm=hvm), plain, ec2.meta.region_name)


_KEPT: Final = (
    "ImageId", "Name", "ImageType", "ImageLocation", "KernelId", "RamdiskId", "Architecture", "VirtualizationType",
    "RootDeviceName", "RootDeviceType", "BlockDeviceMappings",
)  # fmt: skip
"""What is read of a description: the same as of a file that --ami names."""


def snapshots(name: str, description: dict[str, Any]) -> list[tuple[str, str]]:
    """Device names and snapshots of an AMI: that of the root device, then the others in the order of their vbds.

    Raises ImageError when the root device has none, and when what is told of the devices makes no sense.
    """
    root = description.get("RootDeviceName") or ""
    if description.get("RootDeviceType") == "instance-store":
        location = short(description.get("ImageLocation") or "its manifest")
        raise ImageError(name, f"is an instance-store AMI: fetch the bundle {location} from S3, and boot its manifest")
    found: dict[str, str] = {}
    for device, snapshot in _mapped(name, description):
        if device in found:
            raise ImageError(name, f"has the device {short(device)} twice")
        found[device] = snapshot
    if len(found) > MOST_DISKS:
        raise ImageError(name, f"is an AMI of {len(found)} disks; up to {MOST_DISKS} are read")
    numbers: dict[int, str] = {}
    for device in found:
        other = numbers.setdefault(_number(name, device), device)
        if other != device:
            raise ImageError(name, f"its devices {short(other)} and {short(device)} are the same one")
    if not isinstance(root, str):
        raise ImageError(name, "has a root device whose name is no text")
    if root not in found:
        others = [device for device in found if re.fullmatch(re.escape(root) + r"\d*", device)]
        if len(others) != 1:
            raise ImageError(name, f"its root device {short(root) or '(not named)'} has no snapshot")
        # Some AMIs name the disk where its mapping names the partition, /dev/sda and /dev/sda1.
        root = others[0]
    rest = sorted((device for device in found if device != root), key=vbd_number)
    return [(device, found[device]) for device in (root, *rest)]


def _mapped(name: str, description: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Devices and their snapshots as they are told; devices without one, such as ephemeral ones, are left out."""
    for mapping in description.get("BlockDeviceMappings") or ():
        device, ebs = (mapping.get("DeviceName"), mapping.get("Ebs")) if isinstance(mapping, dict) else (None, None)
        snapshot = ebs.get("SnapshotId") if isinstance(ebs, dict) else None
        if not snapshot or not device:
            continue
        if not isinstance(device, str):
            raise ImageError(name, "has a device whose name is no text")
        if not isinstance(snapshot, str) or _SNAPSHOT.fullmatch(snapshot) is None:
            raise ImageError(name, f"its device {short(device)} has a snapshot that is none, {short(snapshot)!r}")
        yield device, snapshot


def _number(name: str, device: str) -> int:
    try:
        return vbd_number(device)
    except UsageError:
        raise ImageError(name, f"has a device that cannot be, {short(device)!r}") from None
