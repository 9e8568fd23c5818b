"""The images of the `amazon` group inside every format: the same verdict as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim.verdict import boot
from tests.conformance.compare import differences
from tests.conformance.test_conformance import CASES, load_cases
from tests.images import unpack_sparse
from tests.media.containers import convert
from tests.media.machines import write_ova, write_xva
from tests.tools import require, run

FORMATS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "qcow2": ("qcow2", (), False),
    "qcow2 packed": ("qcow2", ("compression_type=zstd",), True),
    "vmdk": ("vmdk", (), False),
    "vmdk stream": ("vmdk", ("subformat=streamOptimized",), False),
    "vmdk flat": ("vmdk", ("subformat=monolithicFlat",), False),
    "vhd": ("vhd", ("force_size=on",), False),
    "vhd fixed": ("vhd", ("subformat=fixed", "force_size=on"), False),
    "vhdx": ("vhdx", (), False),
    "vdi": ("vdi", (), False),
}


STREAMS = {"gz": "gzip", "xz": "xz", "zst": "zstd", "bz2": "bzip2", "lz4": "lz4"}

AMAZON = [case for area, case in load_cases() if area == "amazon" and not case.get("undefined")]


@pytest.mark.parametrize("case", AMAZON, ids=lambda case: case["case"])
def test_the_same_verdict_in_every_format(case: dict[str, Any], tmp_path: Path) -> None:
    raw = unpack_sparse(CASES / "amazon" / case["image"], tmp_path / "raw")
    version = case["profile"].removeprefix("amazon-")
    aki = f"pv-grub-{case['aki_device']}_{version}-{case['arch']}.gz"
    for name, (format_, options, compress) in FORMATS.items():
        disk = convert(raw, tmp_path / "disk", format_, options, compress=compress)
        verdict = boot(disk, aki=aki, findings=False)
        assert not (found := differences(case, verdict)), f"{name}: {case['what']}\n" + "\n".join(found)
        for file in tmp_path.glob("disk*"):
            file.unlink()


@pytest.mark.parametrize("case", AMAZON, ids=lambda case: case["case"])
def test_the_same_verdict_in_streams_and_machines(case: dict[str, Any], tmp_path: Path) -> None:
    raw = unpack_sparse(CASES / "amazon" / case["image"], tmp_path / "disk.raw")
    version = case["profile"].removeprefix("amazon-")
    aki = f"pv-grub-{case['aki_device']}_{version}-{case['arch']}.gz"
    for tool in STREAMS.values():
        require(tool)
    made = {name: tmp_path / f"packed.{name}" for name in (*STREAMS, "ova", "xva", "tar")}
    for name, tool in STREAMS.items():
        made[name].write_bytes(run(tool, "-1", "-c", raw))
    write_ova(made["ova"], [(0, raw)])
    write_xva(made["xva"], [("0", "Ref:3", raw.read_bytes())], keepalive=2)
    run("tar", "-C", tmp_path, "--format=oldgnu", "-Scf", made["tar"], "disk.raw")
    for name, disk in made.items():
        verdict = boot(disk, aki=aki, findings=False)
        assert not (found := differences(case, verdict)), f"{name}: {case['what']}\n" + "\n".join(found)
