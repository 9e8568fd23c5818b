"""What lies in an archive, or is one disk of a machine, is planned for and mended as the same disk alone."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from pvgrub_sim import UsageError, boot, fix
from pvgrub_sim.media.disk import Layer, layers_of
from pvgrub_sim.media.overlay import OverlayDisk
from pvgrub_sim.media.sources import local_path
from tests.findings.test_rules import unpack
from tests.media.machines import write_xva
from tests.media.web import serving

DEMO = "images/demo"


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_an_image_in_an_archive_comes_out_mended(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = unpack(DEMO, tmp_path)
    if form == "tar":
        with tarfile.open("archive", "w") as archive:
            archive.add(image.name)
    else:
        with zipfile.ZipFile("archive", "w") as packed:
            packed.write(image.name)
    image.unlink()
    made = fix("archive", "out.img")
    assert made.mended and made.unwrapped
    assert boot("out.img", image_format="raw").boots_default


@pytest.mark.parametrize("twice", [False, True])
def test_a_plan_changes_one_disk_of_several(twice: bool, tmp_path: Path) -> None:
    image = unpack(DEMO, tmp_path)
    if twice:
        disks = {"/dev/sdb": str(image)}
        found = boot(image, disks=disks)
    else:
        write_xva(tmp_path / "vm.xva", [("0", "Ref:20", image.read_bytes()), ("1", "Ref:21", bytes(1 << 20))])
        found = boot(tmp_path / "vm.xva")
    assert found.plan is not None and found.plan.proven and not found.plan.unmended


def test_no_step_of_a_plan_changes_an_image_that_is_wrapped() -> None:
    class Wrapped:
        name, size = "disk.qcow2", 512
        layers = (Layer("qcow2", "disk.qcow2", 512),)

        def read(self, offset: int, length: int) -> bytes:
            return bytes(length)

        def close(self) -> None:
            pass

    # The second step and what comes after it are planned for the disk as the first one leaves it.
    assert layers_of(OverlayDisk(Wrapped(), {0: b"x"})) == Wrapped.layers


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_what_is_printed_names_the_archive_which_can_be_opened(form: str, tmp_path: Path) -> None:
    image = unpack(DEMO, tmp_path)
    if form == "tar":
        with tarfile.open(tmp_path / "a", "w") as archive:
            archive.add(image, "member.img")
    else:
        with zipfile.ZipFile(tmp_path / "a", "w") as packed:
            packed.write(image, "member.img")
    found = boot(tmp_path / "a")
    assert found.image == str(tmp_path / "a")
    assert "member.img" not in (found.plan.script if found.plan else "")


def test_a_raw_image_on_a_server_is_one_and_its_address_stays_secret(tmp_path: Path) -> None:
    image = unpack(DEMO, tmp_path)
    with serving(tmp_path) as server:
        url = server.url(image.name).replace("//", "//user:secret@") + "?sig=secret"
        made = fix(url, tmp_path / "out.img")
        with pytest.raises(UsageError) as refused:
            fix(url, in_place=True)
    assert made.mended and not made.unwrapped
    assert "secret" not in f"{made}{refused.value}"


def test_a_file_named_as_an_address_is_mended(tmp_path: Path) -> None:
    image = unpack(DEMO, tmp_path)
    assert fix(f"file:{image}", tmp_path / "out.img").mended
    assert fix(f"file:{image}", in_place=True).output == (str(image),)


@pytest.mark.parametrize("name", ["http:disk.img", "ebs:snap-0123456789abcdef0", "file:x"])
def test_a_file_that_is_called_as_an_address_is_no_address(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(DEMO, tmp_path).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    found = boot(f"file:{name}")
    assert found.image == local_path(f"file:{name}") == f"./{name}"
    assert boot(found.image) == found
    assert fix(f"file:{name}", tmp_path / "out.img").mended
