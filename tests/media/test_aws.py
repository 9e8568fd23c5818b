"""EBS snapshots, AMIs and S3 against servers of the tests' own, and moto."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import Access, boot, examine_kernel, extract_kernel, open_image, read_file
from pvgrub_sim.errors import ImageError, PvgrubSimError
from pvgrub_sim.media.sources import aws as aws_source
from pvgrub_sim.model import Outcome
from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.media.aws_server import BLOCK, AwsServer, Fault, Handler, aws, image_xml

FIXTURES = Path(__file__).parents[2] / "fixtures"
SNAPSHOT = "snap-0123456789abcdef0"
OTHER = "snap-0123456789abcdef1"
AMI = "ami-0123456789abcdef0"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.fixture(autouse=True, scope="module")
def descriptions() -> Iterator[None]:
    """What botocore has of AWS's services is read once, not for each client."""
    from botocore.loaders import JSONFileLoader

    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that would be recognised where they must not stand."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(aws_source, "FIRST_PAUSE", 0.01)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsServer]:
    with aws() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EBS", f"http://127.0.0.1:{running.server_port}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", f"http://127.0.0.1:{running.server_port}")
        yield running


def sparse(path: Path, size: int = 1 << 30) -> Path:
    """A snapshot's volume with data here and there, the rest holes."""
    rng = random.Random(3)
    with path.open("wb") as file:
        file.truncate(size)
        for _ in range(60):
            file.seek(rng.randrange(size - (1 << 20)))
            file.write(rng.randbytes(rng.randrange(1, 1 << 20)))
    return path


def reads(path: Path, count: int = 60) -> Iterator[tuple[int, bytes]]:
    """Random stretches of a file, and what they hold."""
    rng = random.Random(5)
    size = path.stat().st_size
    with path.open("rb") as file:
        for _ in range(count):
            offset = rng.randrange(size)
            length = min(rng.choice((1, 512, 70_000, 5 << 20)), size - offset)
            file.seek(offset)
            yield offset, file.read(length)


# --- EBS


def test_a_boot_fetches_few_blocks_findings_included(server: AwsServer, big_image: Path) -> None:
    server.snapshots[SNAPSHOT] = big_image
    far = boot(f"ebs:{SNAPSHOT}")
    local = boot(big_image)
    assert far == local._replace(image=far.image)
    assert far.outcome is Outcome.BOOTS
    assert len(server.blocks) <= 70
    assert len(set(server.blocks)) == len(server.blocks)


def test_every_block_is_what_it_is_in_the_snapshot(server: AwsServer, tmp_path: Path) -> None:
    path = server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    server.page = 7
    disk = open_image(f"ebs:{SNAPSHOT}")
    assert disk.size == 1 << 30
    for offset, data in reads(path):
        assert disk.read(offset, len(data)) == data
    assert set(server.blocks) <= set(server.present(SNAPSHOT)), "blocks that are not there are not asked for"
    assert len(server.listed) > 3, "the list has pages"
    disk.close()


def test_tokens_that_expire_are_renewed(server: AwsServer, tmp_path: Path) -> None:
    path = server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    server.page = 50
    disk = open_image(f"ebs:{SNAPSHOT}")
    for number, (offset, data) in enumerate(reads(path, 20)):
        if number % 3 == 0:
            server.generation += 1
        assert disk.read(offset, len(data)) == data
    disk.close()


def test_tokens_that_have_expired_by_the_clock_are_not_used(server: AwsServer, tmp_path: Path) -> None:
    path = server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    server.lifetime = -5
    disk = open_image(f"ebs:{SNAPSHOT}")
    for offset, data in reads(path, 5):
        assert disk.read(offset, len(data)) == data
    disk.close()


def wrong_data(handler: Handler, headers: dict[str, str], data: bytes) -> bool:
    handler.answer(200, data[:-1] + b"\x01", **headers)
    return True


def short_data(handler: Handler, headers: dict[str, str], data: bytes) -> bool:
    handler.answer(200, data[:1000], **headers)
    return True


def cut_data(handler: Handler, headers: dict[str, str], data: bytes) -> bool:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[:1000])
    handler.close_connection = True
    return True


def overloaded(handler: Handler, headers: dict[str, str], data: bytes) -> bool:
    handler.refuse(503, "ServiceUnavailable", "later")
    return True


@pytest.mark.parametrize("fault", [wrong_data, short_data, cut_data, overloaded], ids=lambda fault: fault.__name__)
def test_what_does_not_come_whole_is_fetched_again_and_never_believed(
    server: AwsServer, tmp_path: Path, fault: Fault
) -> None:
    path = server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    disk = open_image(f"ebs:{SNAPSHOT}")
    block = server.present(SNAPSHOT)[3]
    server.faults = [fault, fault]
    with path.open("rb") as file:
        file.seek(block * BLOCK)
        assert disk.read(block * BLOCK, BLOCK) == file.read(BLOCK)
    disk.close()
    disk = open_image(f"ebs:{SNAPSHOT}")
    server.faults = [fault] * 30
    with pytest.raises(ImageError) as caught:
        disk.read(block * BLOCK, BLOCK)
    assert "\n" not in str(caught.value) and f"offset {block * BLOCK}" in str(caught.value)
    disk.close()


def test_sizes_that_make_no_sense_are_refused(server: AwsServer, tmp_path: Path) -> None:
    server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    for size in (0, 100, 1 << 40):
        server.block_size = size
        with pytest.raises(ImageError, match="make no sense"):
            open_image(f"ebs:{SNAPSHOT}")


def test_kept_blocks_are_not_fetched_again(server: AwsServer, tmp_path: Path) -> None:
    path = server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    for expected in (True, False):
        server.blocks.clear()
        disk = open_image(f"ebs:{SNAPSHOT}", access=Access(cache=str(tmp_path / "cache")))
        for offset, data in reads(path, 10):
            assert disk.read(offset, len(data)) == data
        disk.close()
        assert bool(server.blocks) is expected


# --- AMIs


def test_an_ami_is_its_snapshots_with_its_root_first(server: AwsServer, tmp_path: Path) -> None:
    good = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    server.snapshots[SNAPSHOT] = good
    server.snapshots[OTHER] = sparse(tmp_path / "other")
    devices = {"/dev/sdf": OTHER, "/dev/sda1": SNAPSHOT, "/dev/sdb": ""}
    server.images[AMI] = image_xml("/dev/sda1", devices, kernelId="aki-71665e05", ramdiskId="ari-12345678")
    verdict = boot(f"ami:{AMI}")
    assert verdict.outcome is Outcome.BOOTS
    assert verdict.image == f"ami:{AMI}"
    assert verdict.profile.aki == "aki-71665e05"
    assert "ari-needless" in {finding.rule for finding in verdict.findings} or any(
        "ari-12345678" in finding.message for finding in verdict.findings
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"rootDeviceType": "instance-store", "imageLocation": "bucket/i.manifest.xml"}, "bucket/i.manifest.xml"),
     ({"rootDeviceName": "/dev/xvda"}, "has no snapshot")],
)  # fmt: skip
def test_an_ami_without_a_root_snapshot_is_one_line(server: AwsServer, fields: dict[str, str], words: str) -> None:
    server.images[AMI] = image_xml("/dev/sda1", {"/dev/sda1": SNAPSHOT}, **fields)
    with pytest.raises(ImageError, match=words):
        open_image(f"ami:{AMI}")


# --- what is told


@pytest.mark.parametrize(
    "source", [f"ebs:{OTHER}", f"ami:{AMI}", "ebs:", "ebs:vol-1", "ami:snap-1", "s3://bucket", "s3:", "gs://", "abfs:x"]
)
def test_what_is_not_there_is_one_line_without_a_secret(
    source: str, server: AwsServer, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = Run(tmp_path, tmp_path, capfdbinary)
    assert command(["boot", "{}"], source) == 2
    command.refused()
    assert not any(word in command.err for word in (SECRET.encode(), b"AKIAIOSFODNN7EXAMPLE", b"SECRETTOKEN"))


def test_without_credentials_or_region_it_says_so(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(PvgrubSimError, match="--region"):
        open_image(f"ebs:{SNAPSHOT}")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PvgrubSimError, match="no AWS credentials"):
        open_image(f"ebs:{SNAPSHOT}", access=Access(region="eu-west-1"))


@pytest.mark.parametrize(
    ("environment", "asked"),
    [({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
     ({"AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"),
     ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}, "eu-north-1"),
     ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"),
     ({"AWS_REGION": "eu-north-1", "option": "eu-west-3"}, "eu-west-3")],
)  # fmt: skip
def test_the_region_is_that_of_the_option_or_of_either_variable(
    environment: dict[str, str], asked: str, server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    option = environment.get("option")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    signed = []

    def note(handler: Handler, headers: dict[str, str], data: bytes) -> bool:
        signed.append(handler.headers["Authorization"])
        return False

    server.faults = [note]
    disk = open_image(f"ebs:{SNAPSHOT}", access=Access(region=option))
    disk.read(server.present(SNAPSHOT)[0] * BLOCK, 512)
    disk.close()
    assert f"/{asked}/ebs/" in signed[0]


# --- S3, by moto


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_s3_and_ebs_of_moto(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    raw = random.Random(1).randbytes((3 << 20) + 77)
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="disks-of-ours")
    s3.put_object(Bucket="disks-of-ours", Key="folder/disk.img", Body=raw)
    disk = open_image("s3://disks-of-ours/folder/disk.img", access=Access(cache=str(tmp_path / "cache")))
    assert disk.size == len(raw)
    assert disk.read(300_000, 1 << 20) == raw[300_000 : 300_000 + (1 << 20)]
    s3.put_object(Bucket="disks-of-ours", Key="folder/disk.img", Body=raw[::-1])
    with pytest.raises(ImageError, match="changed while it was read"):
        disk.read(2 << 20, 1 << 20)
    disk.close()
    with pytest.raises(ImageError):
        open_image("s3://disks-of-ours/not-there")
    s3.close()


def test_a_kernel_in_s3_is_read_as_the_file(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    image = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    kernel = read_file(image, "(hd0)/boot/vmlinuz")
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="kernels-of-ours")
    s3.put_object(Bucket="kernels-of-ours", Key="p/vmlinuz", Body=kernel)
    s3.close()
    assert examine_kernel("s3://kernels-of-ours/p/vmlinuz") == examine_kernel(kernel)
    assert extract_kernel("s3://kernels-of-ours/p/vmlinuz") == extract_kernel(kernel)
    with pytest.raises(ImageError):
        examine_kernel("s3://kernels-of-ours/p/nothing")
