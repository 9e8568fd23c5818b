"""Buckets and AMIs, on a local server that speaks for AWS (moto, which nobody here wrote).

Modules that take long to import are imported where they are used: every process of a run reads all files of tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import ImageError, ScanState, UsageError, local_engine, scan
from pvgrub_sim.fleet.listing import targets
from tests.fleet.fleets import stored

REGION = "eu-west-1"
# The server's own sockets are closed when Python gets round to it.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server with an empty account."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        # Hundreds of AMIs of other people's, whom nobody asks for.
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
        yield "http://{}:{}".format(*running.get_host_and_port())
        running.stop()


@pytest.fixture(autouse=True)
def account(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What boto3 finds in the environment."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def bucket(server: str, small: Path) -> str:
    """A bucket with images, and with what is none."""
    import boto3

    session = boto3.session.Session("testing", "testing", region_name=REGION)
    s3 = session.client("s3", endpoint_url=server)
    s3.create_bucket(Bucket="images", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("nightly/boots.img", "nightly/sub/ext4-today.img", "other/demo.img"):
        s3.put_object(Bucket="images", Key=key, Body=(small / Path(key).name).read_bytes())
    s3.put_object(Bucket="images", Key="nightly/README", Body=b"These are images.\n" * 100)
    s3.put_object(Bucket="images", Key="nightly/small", Body=b"small")
    s3.put_object(Bucket="images", Key="nightly/", Body=b"")
    for number in range(25):
        s3.put_object(Bucket="images", Key=f"many/{number:04}.img", Body=bytes(512))
    s3.close()
    return "images"


def test_a_prefix_is_scanned_by_content_and_not_twice(bucket: str, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    for looked in (3, 0):
        summary = scan([f"s3://{bucket}/nightly/"], store=store, engine=local_engine(1))
        assert summary.looked == looked
        assert summary.statuses == {"boots": 1, "down": 1, "no image": 1}
    rows = {row.name: row for row in stored(store)}
    assert rows["boots.img"].source == "s3://images/nightly/boots.img"
    assert rows["boots.img"].verdict is not None and rows["boots.img"].verdict.boots_default
    assert rows["README"].state is ScanState.NO_IMAGE
    assert rows["sub/ext4-today.img"].outcome == "prompt"


def test_a_changed_object_is_looked_at_again(bucket: str, small: Path, tmp_path: Path) -> None:
    import boto3

    store = tmp_path / "scan.db"
    word = f"s3://{bucket}/changing.img"
    s3 = boto3.client("s3")
    for name, status in (("boots", "boots"), ("ext4-today", "down")):
        s3.put_object(Bucket=bucket, Key="changing.img", Body=(small / f"{name}.img").read_bytes())
        summary = scan([word], store=store, engine=local_engine(1))
        assert (summary.looked, summary.statuses) == (1, {status: 1})
    assert scan([word], store=store, engine=local_engine(1)).looked == 0
    s3.close()


def test_a_bucket_of_many_pages(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    assert [target.name for target in targets([f"s3://{bucket}/many/"])] == [f"{n:04}.img" for n in range(25)]


@pytest.mark.parametrize("word", ["s3://images/nothing/", "s3://images/nothing/below/"])
def test_a_prefix_with_nothing_below(bucket: str, word: str) -> None:
    with pytest.raises(UsageError, match="no objects there"):
        list(targets([word]))


def test_a_bucket_that_is_not_there_is_one_line(bucket: str) -> None:
    with pytest.raises(ImageError, match=r"^s3://nothing/: AWS answers NoSuchBucket") as raised:
        list(targets(["s3://nothing/"]))
    assert "\n" not in str(raised.value)


@pytest.fixture
def amis() -> Iterator[dict[str, str]]:
    """Two paravirtual AMIs of the account and an HVM one; ids by name."""
    import boto3
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    ec2 = boto3.client("ec2")
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    found: dict[str, str] = {}
    kinds: dict[str, dict[str, Any]] = {
        "old": {"virtualization_type": "paravirtual", "kernel_id": "aki-75665e01", "architecture": "x86_64"},
        "new": {"virtualization_type": "paravirtual", "kernel_id": "aki-52a34525", "architecture": "x86_64"},
        "hvm": {"virtualization_type": "hvm", "architecture": "x86_64"},
    }
    for name, fields in kinds.items():
        found[name] = ec2.register_image(Name=name)["ImageId"]
        # RegisterImage keeps none of this here, unlike AWS.
        for field, value in fields.items():
            setattr(backend.amis[found[name]], field, value)
    yield found
    for ident in found.values():
        ec2.deregister_image(ImageId=ident)
    ec2.close()


def test_the_paravirtual_amis_of_the_account(amis: dict[str, str]) -> None:
    found = {target.name: target for target in targets(["ami:self"], region=REGION)}
    assert set(found) == {amis["old"], amis["new"]}
    target = found[amis["old"]]
    assert (target.source, target.region) == (f"ami:{amis['old']}", REGION)
    ident, aki, snapshot = target.fingerprint.split(":")
    assert (ident, aki) == (amis["old"], "aki-75665e01") and snapshot.startswith("snap-")
    (one,) = targets([f"ami:{amis['old']}"], region=REGION)
    assert one.fingerprint == target.fingerprint


def test_a_region_without_amis(amis: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no paravirtual AMIs of this account in eu-north-1"):
        list(targets(["ami:self"], region="eu-north-1"))


def test_amis_are_kept_with_their_region(amis: dict[str, str], tmp_path: Path) -> None:
    """Their snapshots have no blocks on this server, so what is kept is why they cannot be read."""
    store = tmp_path / "scan.db"
    summary = scan(["ami:self"], store=store, engine=local_engine(1), region=REGION, versions=["auto", "amazon-1.05"])
    assert summary.images == 2 and sum(summary.statuses.values()) == 4
    for row in stored(store):
        assert row.region == REGION and row.state in (ScanState.UNREADABLE, ScanState.VERDICT)
        assert "\n" not in row.error


def test_what_is_not_there_is_told_by_whoever_reads_it(bucket: str, tmp_path: Path) -> None:
    store = tmp_path / "scan.db"
    scan([f"s3://{bucket}/none.img", "ami:ami-0123456789abcdef0"], store=store, engine=local_engine(1))
    assert [row.state for row in stored(store)] == [ScanState.UNREADABLE] * 2


def test_without_boto3_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"pip install 'pvgrub-sim\[aws\]'"):
        list(targets(["s3://images/"]))
