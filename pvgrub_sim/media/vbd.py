"""Device names and vbd numbers: the order in which Mini-OS sees an instance's block devices."""

from __future__ import annotations

from pvgrub_sim.errors import UsageError
from pvgrub_sim.media.disk import Disk, Machine
from pvgrub_sim.values import NamedTuple

_KINDS = ("sd", "xvd", "hd")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_HD_MAJORS = (3, 22, 33, 34, 56, 57, 88, 89, 90, 91)


class AttachedDisk(NamedTuple):
    """A disk and the vbd number under which xenstore lists it.

    assumed: nobody has said how it is attached. left_out: so many disks of the machine that was named for it are not
    attached.
    """

    disk: Disk
    vbd: int
    device: str
    assumed: bool = False
    left_out: int = 0


def vbd_number(device: str) -> int:
    """The vbd number of a device name such as `/dev/sda1`, `xvdb` or a plain number.

    Raises UsageError for any other name. As Linux numbers SCSI, Xen and IDE disks (major << 8 | minor), and
    Xen's docs/misc/vbd-interface.txt for those past the 15th: 1 << 28 | disk << 8 | partition.
    """
    if device.isascii() and device.isdecimal() and len(device) < 12:
        return int(device)
    name = device.removeprefix("/dev/")
    kind = next((kind for kind in _KINDS if name.startswith(kind)), None)
    letters = name[len(kind or "") :].rstrip("0123456789")
    digits = name[len(kind or "") + len(letters) :]
    if kind is None or not 1 <= len(letters) <= 2 or not _LETTERS.issuperset(letters) or len(digits) > 2:
        raise UsageError(f"{device!r} is not a block device name (/dev/sda1, /dev/xvdb, or a vbd number)")
    disk = 0
    for letter in letters:
        disk = disk * 26 + ord(letter) - ord("a") + 1
    disk -= 1
    partition = int(digits or 0)
    limit = 63 if kind == "hd" else 15 if disk < 16 else 255
    if partition > limit:
        raise UsageError(f"{device!r}: there is no partition {partition}")
    if kind == "hd":
        if disk >= 2 * len(_HD_MAJORS):
            raise UsageError(f"{device!r}: there are only {2 * len(_HD_MAJORS)} such disks")
        return _HD_MAJORS[disk // 2] << 8 | (disk % 2) << 6 | partition
    if disk < 16:
        return (8 if kind == "sd" else 202) << 8 | disk << 4 | partition
    if kind == "sd":
        raise UsageError(f"{device!r}: SCSI device names end at sdp")
    return 1 << 28 | disk << 8 | partition


def guest_disks(disk: Disk) -> list[Disk]:
    """The disks that come with an image, hd0 first: of a machine all of them, as boot() attaches them."""
    if not isinstance(disk, Machine):
        return [disk]
    devices = [device for device, _ in disk.disks]
    # The machine stands for its first disk: what is said of that names the machine.
    disks = [disk, *(other for _, other in disk.disks[1:])]
    return [one for _, one in sorted(zip(devices, disks, strict=True), key=lambda pair: vbd_number(pair[0]))]
