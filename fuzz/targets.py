"""The targets: each takes a source of chance and the world, makes one input, and checks what must hold."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from fuzz import mutations
from fuzz.disks import Changing, Failing, Image
from fuzz.invariants import hold, reports, sound, text, verdict
from fuzz.starving import short_of
from fuzz.world import Slot, World
from pvgrub_sim import (
    Disk,
    ImageError,
    ImageFileError,
    KernelFormatError,
    UsageError,
    Verdict,
    akis,
    boot,
    examine_kernel,
    extract_kernel,
    inspect_image,
    list_directory,
    one_line,
    open_image,
    read_file,
)
from tests.kernel_images import bzimage

Target = Callable[[Random, World], None]
SLOWEST = 20
"""Seconds of processor time that one run may take."""
VERSIONS = ("amazon-1.01", "amazon-1.03", "amazon-1.05", "xen-4.2", "xen-4.17")


def mutated(random: Random, world: World) -> Image:
    """An image with changes."""
    base = world.image(random)
    changes = mutations.patches(random, base.data, base.used, world.image(random).data)
    return Image(base.name, base.data, changes, mutations.size(random, len(base.data)))


def with_menu(slot: Slot, menu: bytes) -> Image:
    """The image that boots, with another menu."""
    menu = menu[: slot.room]
    changes = [(slot.block, menu.ljust(slot.room, b"\0")), (slot.size_at, len(menu).to_bytes(4, "little"))]
    return Image("menu", slot.base.data, changes, len(slot.base.data))


def _boot(random: Random, disk: Disk, findings: bool) -> Verdict:
    version = random.choice(VERSIONS)
    begin = time.process_time()
    told = boot(disk, pvgrub=version, arch=random.choice(("auto", "x86_64", "i386")), findings=findings)
    taken = time.process_time() - begin
    hold(taken < SLOWEST, f"one run in {SLOWEST} seconds of processor time ({taken:.1f})")
    return told


def image(random: Random, world: World) -> None:
    """The same image gives the same verdict twice."""
    disk = mutated(random, world)
    state = random.getstate()
    first = _boot(random, disk, False)
    verdict(first)
    random.setstate(state)
    hold(_boot(random, disk, False) == first, "the same verdict twice")


def findings(random: Random, world: World) -> None:
    """Findings change no outcome, and every report of them is sound."""
    disk = mutated(random, world) if random.random() < 0.7 else with_menu(world.slot, mutations.menu(random))
    state = random.getstate()
    plain = _boot(random, disk, False)
    random.setstate(state)
    full = _boot(random, disk, True)
    same = full._replace(findings=(), layout=(), plan=plain.plan, reason=plain.reason)
    differ = [name for name in Verdict._fields if getattr(plain, name) != getattr(same, name)]
    hold(not differ, f"findings do not change the outcome: {differ}")
    verdict(full)
    reports(full)


def starved(random: Random, world: World) -> None:
    """Where the survey gives up in the middle, no step stands on what it did not see."""
    base = world.image(random)
    disk = mutated(random, world) if random.random() < 0.4 else Image(base.name, base.data, [], len(base.data))
    state = random.getstate()
    full = _boot(random, disk, True)
    random.setstate(state)
    with short_of(random):
        random.setstate(state)
        told = _boot(random, disk, True)
    verdict(told)
    sound(told, full)


def menu(random: Random, world: World) -> None:
    """Any menu on an image that boots."""
    told = _boot(random, with_menu(world.slot, mutations.menu(random)), False)
    verdict(told)
    text(one_line(told.reason), "the reason")


def survey(random: Random, world: World) -> None:
    """The survey, listings and files of any image."""
    disk = mutated(random, world)
    result = inspect_image(disk)
    json.dumps(result.to_json())
    device = random.choice(["(hd0)", *(volume.grub for volume in result.volumes)])
    for honest in (False, True):
        folder = device + random.choice(("/", "/boot/", "/boot/grub/", "/boot/grub/menu.lst"))
        try:
            for entry in list_directory(disk, folder, survey=honest)[:50]:
                text(one_line(f"{entry.name} {entry.target} {entry.error}"), "a listing")
            read_file(disk, f"{device}/boot/grub/menu.lst", survey=honest)
        except (ImageFileError, UsageError) as error:
            text(one_line(str(error)), "an error")


def failing(random: Random, world: World) -> None:
    """Disks that cannot be read in places, or are not the same twice."""
    whole = mutated(random, world)
    if random.random() < 0.5:
        bad = [range(at, at + random.choice((512, 4096))) for at in (random.randrange(whole.size) for _ in range(3))]
        disk: Disk = Failing(whole, bad)
    else:
        disk = Changing(whole, Random(random.getrandbits(32)))
    try:
        verdict(_boot(random, disk, random.random() < 0.2))
    except ImageError as error:
        text(one_line(str(error)), "an error")


def kernel(random: Random, world: World) -> None:
    """Kernels and their payloads."""
    original = random.choice(world.kernels)
    data = mutations.changed(random, original)
    if random.random() < 0.3:
        data = bzimage(mutations.changed(random, random.choice(world.kernels)[200:3000]))
    try:
        facts = examine_kernel(data, pvgrub=random.choice(VERSIONS))
        hold(facts.size >= 0 and facts.opinions, "facts")
        json.dumps(facts.to_json())
        hold(examine_kernel(data, pvgrub=facts.opinions[0].profile) == facts, "the same facts twice")
        extract_kernel(data)
    except KernelFormatError as error:
        text(one_line(str(error)), "an error")


def container(random: Random, world: World) -> None:
    """Containers by their first bytes, and images around which something was packed: as files."""
    import bz2
    import gzip
    import lzma

    disk = with_menu(world.slot, mutations.menu(random))
    raw = disk.whole()[: 1 << 20] if random.random() < 0.5 else disk.whole()
    pack = random.choice((gzip.compress, bz2.compress, lambda data: lzma.compress(data, preset=0)))
    packed = pack(raw)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        if random.random() < 0.4:
            path.write_bytes(packed)
            disk_told = boot(Image("raw", raw, [], len(raw)), findings=False)
            packed_told = boot(path, findings=False)
            hold(packed_told._replace(image="raw") == disk_told, "the same verdict in a container and raw")
        heads = (
            b"QFI\xfb",
            b"KDMV",
            b"conectix",
            b"vhdxfile",
            b"# Disk DescriptorFile\n",
            b"\x28\xb5\x2f\xfd",
            packed[:4096],
        )
        data = mutations.changed(random, random.choice(heads) + packed[:8192] + random.randbytes(2048))
        path.write_bytes(data)
        before = path.stat().st_mtime_ns
        try:
            open_image(path).close()
            verdict(boot(path, findings=False))
        except (ImageError, UsageError) as error:
            text(one_line(str(error)), "an error")
        hold(path.read_bytes() == data and path.stat().st_mtime_ns == before, "the file is as it was")


def description(random: Random, world: World) -> None:
    """Answers of `aws ec2 describe-images`."""
    from fuzz.world import FIXTURES

    sample = (FIXTURES / "describe-images-sample.json").read_bytes()
    data = mutations.changed(random, sample)
    try:
        for report in akis.check(akis.parse_descriptions(data, "answer")):
            text(one_line(f"{report.ami.name} {[remark.text for remark in report.remarks]}"), "a report")
    except UsageError as error:
        text(one_line(str(error)), "an error")


TARGETS: dict[str, tuple[Target, int]] = {
    "image": (image, 10),
    "menu": (menu, 10),
    "kernel": (kernel, 10),
    "description": (description, 6),
    "failing": (failing, 5),
    "survey": (survey, 4),
    "container": (container, 1),
    "findings": (findings, 2),
    "starved": (starved, 2),
}
"""Targets, and how often each has its turn."""
