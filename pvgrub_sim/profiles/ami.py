"""What `aws ec2 describe-images` says of an image, as far as PV-GRUB is concerned."""

from __future__ import annotations

import json
import os
import re

from pvgrub_sim.errors import UsageError
from pvgrub_sim.inputs import read_input
from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple

LARGEST_ANSWER = 256 << 20
"""Bytes of a describe-images answer that are read: one of all public images of a region has half as many."""
MOST_TYPES = 100
"""Instance types that an AMI may allow (InstanceTypeSpecificationRequest)."""
_INSTANCE_TYPE = re.compile(r"[A-Za-z0-9_.*-]{1,24}")
_IMAGE_ID = re.compile(r"[a-z]+-\w+", re.ASCII)


class AmiDescription(NamedTuple):
    """One image of a describe-images answer; None where the answer says nothing.

    image_type: `machine` (an AMI), `kernel` (an AKI) or `ramdisk` (an ARI). location: the manifest's path, which
    carries an AKI's name. instance_types: on which it is to run, with `*` for anything. region: as given by the caller
    or known from the AKI's id; the answer itself has none.
    """

    image_id: str
    name: str | None = None
    image_type: str = "machine"
    location: str | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    architecture: str | None = None
    virtualization_type: str | None = None
    root_device_name: str | None = None
    root_device_type: str | None = None
    block_devices: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    region: str | None = None

    @property
    def is_hvm(self) -> bool:
        """True for an HVM image, whose instances have no PV-GRUB."""
        return self.virtualization_type == "hvm"


def read_describe_images(path: str | os.PathLike[str]) -> tuple[AmiDescription, ...]:
    """All images of a file with a saved answer; raises ImageError when it cannot be read, else as the next."""
    return parse_describe_images(read_input(path, LARGEST_ANSWER + 1), os.fspath(path))


def parse_describe_images(raw: bytes, where: str) -> tuple[AmiDescription, ...]:
    """All images of a saved answer: the whole object, a list of images, or a single one.

    raw: the file as it is; UTF-16 with a byte order mark (PowerShell's `>`) is read as well. where: its name, for
    messages. Raises UsageError with one line when it is something else.
    """
    if len(raw) > LARGEST_ANSWER:
        raise UsageError(f"{where}: more than {LARGEST_ANSWER} bytes, no answer of `aws ec2 describe-images`")
    if not raw.strip():
        raise UsageError(f"{where}: is empty, not the JSON of `aws ec2 describe-images`")
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        answer = json.loads(raw.decode(encoding))
    except UnicodeDecodeError:
        raise UsageError(f"{where}: is not text, let alone the JSON of `aws ec2 describe-images`") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except (RecursionError, ValueError):
        raise UsageError(f"{where}: JSON that no describe-images answer is like") from None
    return tuple(describe(item, where) for item in _items(answer, where))


def _items(answer: Any, where: str) -> list[Any]:
    if isinstance(answer, dict) and "Images" in answer:
        answer = answer["Images"]
    elif isinstance(answer, dict) and "ImageId" in answer:
        answer = [answer]
    if not isinstance(answer, list):
        raise UsageError(f"{where}: JSON without `Images`: not an answer of `aws ec2 describe-images`")
    if not answer:
        raise UsageError(f"{where}: no images in it (does the AMI exist in that region, for that account?)")
    return answer


def describe(item: Any, where: str) -> AmiDescription:
    """One image of an answer; where: for messages. Raises UsageError when it is something else."""
    name = item.get("ImageId") if isinstance(item, dict) else None
    if not isinstance(name, str) or not _IMAGE_ID.fullmatch(name):
        raise UsageError(f"{where}: an image without an ImageId: not an answer of `aws ec2 describe-images`")

    def text(key: str) -> str | None:
        value = item.get(key)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{where}: {item['ImageId']}: {key} is no text")
        return value or None

    def identifier(key: str) -> str | None:
        value = text(key)
        if value is not None and not _IMAGE_ID.fullmatch(value):
            # It is shown in commands.
            raise UsageError(f"{where}: {item['ImageId']}: {key} {value[:80]!r} is no id")
        return value

    mappings = item.get("BlockDeviceMappings") or []
    if not isinstance(mappings, list):
        raise UsageError(f"{where}: {item['ImageId']}: BlockDeviceMappings is no list")
    devices = [entry.get("DeviceName") for entry in mappings if isinstance(entry, dict)]
    return AmiDescription(
        image_id=item["ImageId"],
        name=text("Name"),
        image_type=text("ImageType") or "machine",
        location=text("ImageLocation"),
        kernel_id=identifier("KernelId"),
        ramdisk_id=identifier("RamdiskId"),
        architecture=text("Architecture"),
        virtualization_type=text("VirtualizationType"),
        root_device_name=text("RootDeviceName"),
        root_device_type=text("RootDeviceType"),
        block_devices=tuple(name for name in devices if isinstance(name, str)),
        instance_types=_instance_types(item),
    )


def _instance_types(item: dict[str, Any]) -> tuple[str, ...]:
    """The instance types that the AMI is for: those it allows, or that of an instance which somebody entered.

    As in an InstanceTypeSpecification of EC2's API; a list of items or of names. What is no name is passed over.
    """
    allowed = item.get("InstanceTypeSpecification")
    allowed = allowed if isinstance(allowed, dict) else {}
    listed = allowed.get("SupportedInstanceTypes") or item.get("InstanceTypes")
    listed = listed if isinstance(listed, list) else [item.get("InstanceType")]
    names = [one.get("InstanceType") if isinstance(one, dict) else one for one in listed[:MOST_TYPES]]
    return tuple(name for name in names if isinstance(name, str) and _INSTANCE_TYPE.fullmatch(name))
