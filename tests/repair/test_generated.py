"""Images with two to five faults at once: `fix` makes each boot, or refuses it with the reason, and loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.model import FixedImage
from tests.repair.generator import DATA, START, VOLUME, make
from tests.tools import require, run

IMAGES = 300
BATCH = 15
TOOLS = ("mke2fs", "debugfs", "e2fsck", "mkfs.vfat", "mcopy", "sfdisk")
FEWEST = 4
"""Images of a batch that are mended at the least, however its seeds fall."""


@pytest.mark.parametrize("first", range(0, IMAGES, BATCH))
def test_images_of_several_faults(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in TOOLS:
        require(tool)
    mended = 0
    for seed in range(first, first + BATCH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        monkeypatch.chdir(folder)
        mended += mended_or_refused(seed, folder)[0].mended
    assert mended >= FEWEST


def mended_or_refused(seed: int, folder: Path) -> tuple[FixedImage, tuple[str, ...]]:
    """Let `fix` mend an image in the current folder and look at what came out; that, and the image's faults."""
    image, options, faults = make(seed, folder)
    told = f"seed {seed}: {faults}"
    before = image.read_bytes()
    fixed = fix(image.name, "out.img", **options)
    assert image.read_bytes() == before, f"{told}: the image is only read"
    left = {path.name for path in folder.iterdir()} - {"tree", "disk.img", "out.img", "out.img.boot.img"}
    assert not left, f"{told}: {left}"
    promised = fixed.before.plan is not None and fixed.before.plan.proven
    assert fixed.mended or not promised, f"{told}: {[step.result for step in fixed.steps]}"
    if not fixed.mended:
        assert reasons(fixed), f"{told}: nothing says why"
        assert not Path("out.img").exists() and not fixed.output, told
        return fixed, faults
    # What is cut off a partitioned disk is the room behind its partitions.
    hopeless = (
        {"kernel:no-xen"} if "gpt" in faults[0] or "mbr" in faults[0] else {"kernel:no-xen", "filesystem:truncated"}
    )
    assert not hopeless & set(faults) or not fixed.steps, told
    out = Path("out.img")
    if len(fixed.output) == 1:
        assert boot("out.img", **options).boots_default, told
    assert out.stat().st_size == len(before), told
    filesystem, _, table = faults[0].partition("/")
    _nothing_lost(image, out, folder, told, fat=filesystem == "vfat", partitioned=table != "none")
    return fixed, faults


def reasons(fixed: FixedImage) -> list[str]:
    """Why an image was not mended: a step that failed, or what the plan says that nobody here can mend."""
    failed = [step.result for step in fixed.steps if not step.ok]
    return failed + list(fixed.after.plan.unmended if fixed.after.plan else ())


def _nothing_lost(image: Path, out: Path, folder: Path, told: str, *, fat: bool, partitioned: bool) -> None:
    offset = START if partitioned else 0
    if partitioned:
        assert _table(out) == _table(image), told
        with image.open("rb") as one, out.open("rb") as other:
            for file in (one, other):
                file.seek(START + VOLUME)
            assert one.read(DATA) == other.read(DATA), f"{told}: the other partition"
    was = files_of(image, folder / "was", fat=fat, offset=offset)
    now = files_of(out, folder / "now", fat=fat, offset=offset)
    for path, data in was.items():
        beside = [now[name] for name in now if name.startswith(path)]
        moved = list(now.values())
        assert data in beside or data in moved, f"{told}: {path} is lost"
        assert path in now or data in moved, f"{told}: {path} has gone"
    if not fat:
        run("e2fsck", "-fn", f"{out}?offset={offset}" if offset else out)


def _table(image: Path) -> list[tuple[int, int]]:
    """Start and size of each partition, as sfdisk tells them."""
    done = subprocess.run([require("sfdisk"), "-J", image], capture_output=True, check=True)
    return [(row["start"], row["size"]) for row in json.loads(done.stdout)["partitiontable"]["partitions"]]


def files_of(image: Path, folder: Path, *, fat: bool, offset: int) -> dict[str, bytes]:
    """What debugfs or mtools take out of a filesystem: every file's bytes, every link's target, by path.

    folder: must not exist. offset: of the filesystem, in bytes.
    """
    folder.mkdir()
    if fat:
        run("mcopy", "-s", "-n", "-i", f"{image}@@{offset}" if offset else str(image), "::/*", folder)
    else:
        run("debugfs", "-R", f"rdump / {folder}", f"{image}?offset={offset}" if offset else str(image))
    found = {}
    for path in sorted(folder.rglob("*")):
        name = "/" + str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(path.readlink())
        elif path.is_file():
            path.chmod(0o600)
            found[name] = path.read_bytes()
    return found
