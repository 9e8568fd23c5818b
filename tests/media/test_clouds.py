"""gs:// and abfs://: what the clouds' own clients read from a server here."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import ImageError, UsageError, boot, open_image
from pvgrub_sim.cli import main
from pvgrub_sim.media.sources import filesystems
from tests.images import unpack_sparse
from tests.media.clouds import Google, Microsoft, ObjectStore, store

DEMO = Path(__file__).parents[2] / "fixtures" / "images" / "demo.img.zst"
CLOUDS = {"gs": Google, "abfs": Microsoft}


@pytest.fixture(params=CLOUDS)
def cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ObjectStore, Path]]:
    """The address of an image in a cloud, the server that stands for it, and the image."""
    scheme = request.param
    image = unpack_sparse(DEMO, tmp_path / "demo.img")
    monkeypatch.setattr(filesystems, "FIRST_PAUSE", 0.01)
    with store(CLOUDS[scheme], "images/pv/demo disk.img", image.read_bytes()) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        # The client would look for a server that tells machines of Google's who they are.
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        key = base64.b64encode(b"no secret").decode("ascii")
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING",
            f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={key};"
            f"BlobEndpoint={server.address}/account;",
        )
        yield f"{scheme}://{server.key}", server, image


def test_the_verdict_is_that_of_the_file(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, server, image = cloud
    there, here = boot(address), boot(image)
    assert there._replace(image="", plan=None, findings=()) == here._replace(image="", plan=None, findings=())
    assert [finding.rule for finding in there.findings] == [finding.rule for finding in here.findings]
    assert server.asked and None not in server.asked


def test_every_byte_is_that_of_the_file(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, _, image = cloud
    content = image.read_bytes()
    disk = open_image(address)
    try:
        assert disk.size == len(content) and disk.read(0, disk.size) == content
        for offset, length in ((0, 1), (511, 2), (262_143, 2), (len(content) - 3, 3)):
            assert disk.read(offset, length) == content[offset : offset + length]
    finally:
        disk.close()


def test_what_the_clients_log_is_not_printed(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, _, _ = cloud
    done = subprocess.run(
        [sys.executable, "-m", "pvgrub_sim", "boot", address], capture_output=True, text=True, check=False
    )
    assert done.stdout and done.stderr == ""


def test_what_is_not_there(cloud: tuple[str, ObjectStore, Path], capsys: pytest.CaptureFixture[str]) -> None:
    address, _, _ = cloud
    assert main(["boot", f"{address}.old"]) == 2
    assert capsys.readouterr().err == f"pvgrub-sim: {address}.old: no such object\n"


@pytest.mark.parametrize("cloud", ["abfs"], indirect=True)
def test_an_address_may_name_the_account(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, _, image = cloud
    container, _, key = address.removeprefix("abfs://").partition("/")
    content = image.read_bytes()
    for scheme in ("abfs", "abfss", "az"):
        disk = open_image(f"{scheme}://{container}@account.dfs.core.windows.net/{key}")
        assert disk.read(0, disk.size) == content
        disk.close()
    with pytest.raises(
        UsageError, match="the account is other, and that of AZURE_STORAGE_CONNECTION_STRING is account"
    ):
        open_image(f"abfs://{container}@other.dfs.core.windows.net/{key}")


@pytest.mark.parametrize("cloud", ["gs"], indirect=True)
def test_googles_other_scheme(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, _, image = cloud
    assert boot(address.replace("gs:", "gcs:", 1), findings=False).outcome is boot(image, findings=False).outcome


def test_without_an_account_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match=r"which account.*AZURE_STORAGE_ACCOUNT_NAME"):
        open_image("abfs://container/key")


def test_a_host_that_cannot_be_found_is_said_at_once(
    cloud: tuple[str, ObjectStore, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address, _, _ = cloud
    nowhere = "http://storage.invalid"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", nowhere)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=account;BlobEndpoint={nowhere}/account")
    begin = time.monotonic()
    assert main(["boot", address]) == 2
    # The clients themselves try for half a minute and more.
    assert time.monotonic() - begin < 15
    assert "the address of storage.invalid cannot be found: is there a network" in capsys.readouterr().err


@pytest.mark.parametrize(("cloud", "login"), [("gs", "gcloud auth"), ("abfs", "az login")], indirect=["cloud"])
def test_who_is_not_let_in_is_told_where_credentials_come_from(
    cloud: tuple[str, ObjectStore, Path], login: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address, server, _ = cloud
    server.forbidden = True
    assert main(["boot", address]) == 2
    told = capsys.readouterr().err
    assert login in told and told.count("\n") == 1


def test_a_server_that_is_busy_is_asked_again(
    cloud: tuple[str, ObjectStore, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, server, image = cloud
    if address.startswith("abfs"):
        from azure.storage.blob.aio import ExponentialRetry

        # Microsoft's client waits for 15 s before it asks again.
        monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *_: 0.01)
    server.failures = 1
    assert boot(address).outcome is boot(image).outcome
    assert server.failures == 0


def test_what_changes_meanwhile_is_not_believed(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, server, _ = cloud
    disk = open_image(address)
    try:
        server.version = 2
        with pytest.raises(ImageError, match="changed while it was read"):
            disk.read(1 << 20, 512)
    finally:
        disk.close()


def test_an_answer_that_is_short_is_not_believed(cloud: tuple[str, ObjectStore, Path]) -> None:
    address, server, _ = cloud
    disk = open_image(address)
    try:
        server.cut = 100
        with pytest.raises(ImageError):
            disk.read(1 << 20, 4096)
    finally:
        disk.close()


def test_what_never_ends_is_given_up(
    cloud: tuple[str, ObjectStore, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address, server, _ = cloud
    monkeypatch.setattr(filesystems, "PATIENCE", 1.0)
    disk = open_image(address)
    server.pause = 5.0
    try:
        with pytest.raises(ImageError, match="does not answer in time"):
            disk.read(1 << 20, 4096)
    finally:
        disk.close()
    assert main(["boot", address]) == 2
    assert capsys.readouterr().err.endswith("does not answer in time\n")
