"""What an AWS account holds: objects below a prefix, and the paravirtual AMIs with their AKIs.

Needs boto3, which finds credentials, region and endpoint as every tool of AWS does. Asked for are
`s3:ListBucket` (ListObjectsV2), `s3:GetObject` (HeadObject) and `ec2:DescribeImages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.fleet.values import Target

SMALLEST = 512
"""Bytes: what is smaller is no disk image."""


def objects(word: str, region: str | None) -> Iterator[Target]:
    """The objects below `s3://bucket/prefix/`; raises UsageError when there are none."""
    bucket, _, prefix = word.removeprefix("s3://").partition("/")
    found = False
    with _errors(word):
        pages = _client("s3", region).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                key = item["Key"]
                if item["Size"] < SMALLEST or key.endswith("/"):
                    continue
                found = True
                name = key[len(prefix) :].lstrip("/")
                yield Target(f"s3://{bucket}/{key}", name, word, _etag(item["ETag"]), region or "", sniff=True)
    if not found:
        raise UsageError(f"{word}: no objects there")


def own_images(region: str | None) -> Iterator[Target]:
    """All paravirtual AMIs of the account and region; raises UsageError when there are none."""
    word = "ami:self"
    found = False
    with _errors(word):
        client = _client("ec2", region)
        where = client.meta.region_name or ""
        filters = [
            {"Name": "virtualization-type", "Values": ["paravirtual"]},
            {"Name": "image-type", "Values": ["machine"]},
        ]
        pages = client.get_paginator("describe_images").paginate(Owners=["self"], Filters=filters)
        for page in pages:
            for item in page.get("Images", ()):
                found = True
                yield _image(item, word, where)
    if not found:
        raise UsageError(f"{word}: no paravirtual AMIs of this account in {where or 'this region'}")


def describe(word: str, region: str | None) -> Target:
    """One object or AMI, with what changes when it does. What cannot be found is told by whoever reads it."""
    try:
        with _errors(word):
            if word.startswith("ami:"):
                client = _client("ec2", region)
                images = client.describe_images(ImageIds=[word.removeprefix("ami:")])["Images"]
                return _image(images[0], word, client.meta.region_name or "")
            bucket, _, key = word.removeprefix("s3://").partition("/")
            head = _client("s3", region).head_object(Bucket=bucket, Key=key)
            return Target(word, word, word, _etag(head["ETag"]), region or "")
    except (ImageError, LookupError) as error:
        return Target(word, word, word, region=region or "", problem=str(error))


def _image(item: dict[str, Any], origin: str, region: str) -> Target:
    """An AMI never changes; the snapshot below it is told as well."""
    ident = item["ImageId"]
    root = item.get("RootDeviceName")
    snapshots = [
        mapping["Ebs"].get("SnapshotId", "")
        for mapping in item.get("BlockDeviceMappings", ())
        if mapping.get("DeviceName") == root and "Ebs" in mapping
    ]
    return Target(f"ami:{ident}", ident, origin, ":".join([ident, *snapshots]), region, item.get("KernelId", ""))


def _etag(value: str) -> str:
    return value.strip('"')


def _client(service: str, region: str | None) -> Any:
    try:
        import boto3
    except ImportError:
        raise UsageError("reading from AWS needs the package boto3: pip install 'pvgrub-sim[aws]'") from None
    return boto3.client(service, region_name=region)


@contextmanager
def _errors(word: str) -> Iterator[None]:
    """What boto3 raises becomes one line."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise UsageError("reading from AWS needs the package boto3: pip install 'pvgrub-sim[aws]'") from None
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ImageError(word, " ".join(str(error).split())) from None
