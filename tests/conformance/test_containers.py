"""The images of the `amazon` group inside every format of virtual disks: the same verdict as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim.verdict import boot
from tests.conformance.compare import differences
from tests.conformance.test_conformance import CASES, load_cases
from tests.images import unpack_sparse
from tests.media.containers import convert

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
