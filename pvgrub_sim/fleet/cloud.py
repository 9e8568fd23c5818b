"""What an AWS account holds: objects below a prefix, and the paravirtual AMIs.

Asked for are `s3:ListBucket` (ListObjectsV2), `s3:GetObject` (HeadObject) and `ec2:DescribeImages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pvgrub_sim.errors import ImageError, PvgrubSimError, UsageError
from pvgrub_sim.fleet.values import Target
from pvgrub_sim.media.access import Access, Context
from pvgrub_sim.media.sources.aws import client, words
from pvgrub_sim.typed import Any

SMALLEST = 512
"""Bytes: what is smaller is no disk image."""


def objects(word: str, region: str | None) -> Iterator[Target]:
    """The objects below `s3://bucket/prefix/`; raises UsageError when there are none, and ImageError."""
    bucket, _, prefix = word.removeprefix("s3://").partition("/")
    found = False
    with _client(word, "s3", region) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                key = item["Key"]
                if item["Size"] < SMALLEST or key.endswith("/"):
                    continue
                found = True
                name = key[len(prefix) :].lstrip("/")
                yield Target(f"s3://{bucket}/{key}", name, word, item["ETag"].strip('"'), region or "", sniff=True)
    if not found:
        raise UsageError(f"{word}: no objects there")


def own_images(region: str | None) -> Iterator[Target]:
    """All paravirtual AMIs of the account and region; raises UsageError when there are none, and ImageError."""
    word = "ami:self"
    found = False
    with _client(word, "ec2", region) as ec2:
        where = ec2.meta.region_name or ""
        filters = [
            {"Name": "virtualization-type", "Values": ["paravirtual"]},
            {"Name": "image-type", "Values": ["machine"]},
        ]
        pages = ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=filters)
        for page in pages:
            for item in page.get("Images", ()):
                found = True
                yield _image(item, word, where)
    if not found:
        raise UsageError(f"{word}: no paravirtual AMIs of this account in {where}")


def describe(word: str, region: str | None) -> Target:
    """One object or AMI, with what changes when it does. What cannot be found is told by whoever reads it."""
    try:
        if word.startswith("ami:"):
            with _client(word, "ec2", region) as ec2:
                images = ec2.describe_images(ImageIds=[word.removeprefix("ami:")])["Images"]
                return _image(images[0], word, ec2.meta.region_name or "")
        bucket, _, key = word.removeprefix("s3://").partition("/")
        with _client(word, "s3", region) as s3:
            head = s3.head_object(Bucket=bucket, Key=key)
            return Target(word, word, word, head["ETag"].strip('"'), region or "")
    except (ImageError, LookupError):
        return Target(word, word, word, region=region or "")


def _image(item: dict[str, Any], origin: str, region: str) -> Target:
    """An AMI never changes; the snapshot below it and its AKI are told as well."""
    ident = item["ImageId"]
    root = item.get("RootDeviceName")
    snapshots = [
        mapping["Ebs"].get("SnapshotId", "")
        for mapping in item.get("BlockDeviceMappings", ())
        if mapping.get("DeviceName") == root and "Ebs" in mapping
    ]
    return Target(f"ami:{ident}", ident, origin, ":".join([ident, item.get("KernelId", ""), *snapshots]), region)


@contextmanager
def _client(name: str, service: str, region: str | None) -> Iterator[Any]:
    """A boto3 client; what it raises, or an answer of another shape, becomes one line."""
    found = client(name, service, Context(Access(region=region)))
    try:
        yield found
    except PvgrubSimError:
        raise
    except Exception as error:  # of any kind: botocore's parsers raise what Python raises of a wrong shape
        raise ImageError(name, words(error)) from None
    finally:
        found.close()
