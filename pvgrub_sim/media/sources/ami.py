"""ami:ami-…: an AMI, as DescribeImages tells of it: its snapshots as disks, its AKI and ARI, its architecture."""

from __future__ import annotations

import re
from contextlib import ExitStack

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.machine import Booting, MachineDisk
from pvgrub_sim.media.sources.aws import call, client
from pvgrub_sim.media.sources.ebs import open_ebs
from pvgrub_sim.media.vbd import vbd_number
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

_ID: Final = re.compile(r"ami:(?://)?(ami-[0-9a-f]{8,17})")


def open_ami(name: str, context: Context) -> Disk:
    """The disks of an AMI, the root device first; raises UsageError for what is no `ami:ami-…`, and ImageError."""
    match = _ID.fullmatch(name)
    if match is None:
        raise UsageError(f"{name}: not of the form ami:ami-0123456789abcdef0")
    ec2 = client(name, "ec2", context)
    try:
        answer = call(name, lambda: ec2.describe_images(ImageIds=[match[1]]))
    finally:
        ec2.close()
    images = [image for image in answer.get("Images") or () if image.get("ImageId") == match[1]]
    if len(images) != 1:
        raise ImageError(name, f"AWS knows {len(images) or 'no'} such images in {ec2.meta.region_name}")
    description = images[0]
    with ExitStack() as stack:
        disks: list[tuple[str, Disk]] = []
        for device, snapshot in snapshots(name, description):
            disk = open_ebs(f"ebs:{snapshot}", context)
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

    Raises ImageError when the root device has none.
    """
    root = description.get("RootDeviceName")
    if description.get("RootDeviceType") == "instance-store":
        location = description.get("ImageLocation") or "its manifest"
        raise ImageError(name, f"is an instance-store AMI: fetch the bundle {location} from S3, and boot its manifest")
    found: dict[str, str] = {}
    for mapping in description.get("BlockDeviceMappings") or ():
        snapshot = (mapping.get("Ebs") or {}).get("SnapshotId")
        if snapshot and mapping.get("DeviceName"):
            found[str(mapping["DeviceName"])] = str(snapshot)
    if root not in found:
        others = [device for device in found if re.fullmatch(re.escape(str(root)) + r"\d*", device)]
        if len(others) != 1:
            raise ImageError(name, f"its root device {root or '(not named)'} has no snapshot")
        # Some AMIs name the disk where its mapping names the partition, /dev/sda and /dev/sda1.
        root = others[0]
    rest = sorted((device for device in found if device != root), key=vbd_number)
    return [(device, found[device]) for device in (str(root), *rest)]
