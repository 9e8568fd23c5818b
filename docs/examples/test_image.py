"""The image that the pipeline built, checked with pytest and pvgrub-sim's fixture `pvgrub_boot`."""

import pytest


def test_default_entry_boots(pvgrub_boot):
    verdict = pvgrub_boot("disk.img")
    assert verdict.outcome == "boots"
    assert verdict.boots_default
    assert "console=hvc0" in verdict.cmdline


@pytest.mark.parametrize("version", ["amazon-1.04", "amazon-1.05", "xen-4.17"])
def test_boots_with_every_pvgrub_we_meet(pvgrub_boot, version):
    config = "(hd0)/boot/grub/menu.lst" if version.startswith("xen") else None
    assert pvgrub_boot("disk.img", pvgrub=version, config=config).outcome == "boots"


def test_nothing_to_complain_about(pvgrub_boot):
    errors = [finding for finding in pvgrub_boot("disk.img").findings if finding.severity == "error"]
    assert not errors
