"""Damaged images: the rules never raise, and never contradict the machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pvgrub_sim.findings import all_rules
from pvgrub_sim.verdict import boot
from tests.findings.cases import FIXTURES
from tests.images import unpack_sparse
from tests.rounds import rounds

IMAGES = ("images/demo", "images/mbr-logical", "rules/ext4-holes", "rules/ext4-unwritten", "rules/fat", "rules/gpt",
          "rules/grub2-only", "rules/boot-partition", "rules/fallback-broken", "rules/no-notes")  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_damaged_images(name: str, tmp_path: Path) -> None:
    generator = random.Random(name)
    original = unpack_sparse(FIXTURES / f"{name}.img.zst", tmp_path / "whole.img").read_bytes()
    used = [at for at in range(0, len(original), 512) if any(original[at : at + 512])]
    rules = all_rules()
    for _ in range(rounds(25, otherwise=5)):
        data = bytearray(original)
        for _ in range(generator.choice((1, 4, 30))):
            data[generator.choice(used) + generator.randrange(512)] = generator.randrange(256)
        if generator.random() < 0.2:
            del data[generator.randrange(1024, len(data)) :]
        image = tmp_path / "disk.img"
        image.write_bytes(data)
        verdict = boot(image)
        assert all(finding.message and finding.rule in rules for finding in verdict.findings)
        if verdict.boots_default:
            assert not [one for one in verdict.findings if one.severity == "error" and not rules[one.rule].outside]
        else:
            assert verdict.findings


def test_random_bytes(tmp_path: Path) -> None:
    generator = random.Random(6)
    image = tmp_path / "disk.img"
    for size in (512, 4096, 100_000):
        image.write_bytes(generator.randbytes(size))
        assert boot(image).findings


@pytest.mark.parametrize("size", [512, 4096, 40_000])
def test_disks_smaller_than_any_look_at_them(size: int, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(size))
    assert boot(image).findings
