"""What lies in an archive, or is one disk of a machine, is planned for and mended as the same disk alone."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from tests.findings.test_rules import unpack
from tests.media.machines import write_xva

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
