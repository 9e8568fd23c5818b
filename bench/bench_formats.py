"""`pvgrub-sim boot` on a 2 GiB image in each format of virtual disks, beside the same image raw, in turns.

Whole processes, by the wall clock; the ratio is the median of the pairs. The image is ext3 with a kernel of 8 MiB and a
gzipped initrd of 20 MiB, as an AMI has it; for packed clusters one with an initrd of programs that nobody has packed,
so that there is something to unpack. Images that are compressed as a whole hold 160 MiB of libraries, and are measured
against the program that unpacks as much of them as the boot does.

    python bench/bench_formats.py [--turns N] [--json FILE]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_boot import Contestant
from bench.report import OURS, TOOL, Row, publish
from pvgrub_sim import boot, open_image
from tests.media.big_image import INITRD, write_big_image
from tests.media.containers import convert

COMMAND = [str(Path(sys.executable).parent / "pvgrub-sim"), "boot"]
PLAIN: dict[str, tuple[str, tuple[str, ...]]] = {
    "qcow2": ("qcow2", ()),
    "qcow2, 4 KiB": ("qcow2", ("cluster_size=4k",)),
    "qcow2, subclusters": ("qcow2", ("extended_l2=on",)),
    "VMDK": ("vmdk", ()),
    "VMDK, split": ("vmdk", ("subformat=twoGbMaxExtentSparse",)),
    "VHD": ("vhd", ("force_size=on",)),
    "VHDX": ("vhdx", ()),
    "VDI": ("vdi", ()),
}
PACKED: dict[str, tuple[str, tuple[str, ...]]] = {
    "qcow2, zlib": ("qcow2", ()),
    "qcow2, zstd": ("qcow2", ("compression_type=zstd",)),
    "VMDK, stream": ("vmdk", ("subformat=streamOptimized",)),
}
STREAMS = {"gzip": ".gz", "xz": ".xz", "zstd": ".zst", "lz4": ".lz4"}
"""Programs that pack a whole image, and what they call it then: ours against theirs on the part that a boot reads."""
LIMITS = {"plain": 1.15, "packed": 1.5, "compressed": 1.2}
FILL = 160 << 20
"""Bytes of libraries in front of the kernel, so that there is something to unpack."""


def unpacked(image: Path) -> None:
    """Write an initrd of this system's libraries, as they are, over the one of an image: it packs as programs do."""
    content = bytearray(b"070701")
    for library in sorted(Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so.*")):
        if library.is_file() and not library.is_symlink() and len(content) < INITRD:
            content += library.read_bytes()
    initrd = image.with_name("initrd")
    initrd.write_bytes(content[: INITRD - 16384])
    for command in ("rm /boot/initrd.img-3.2.0-virtual", f"write {initrd} /boot/initrd.img-3.2.0-virtual"):
        subprocess.run(["/usr/sbin/debugfs", "-w", "-R", command, image], check=True, capture_output=True)


def streams(folder: Path) -> Iterator[tuple[str, list[Contestant]]]:
    """Each: a program that unpacks as much of an image as a boot needs, and that boot."""
    raw = write_big_image(folder)
    tree = folder / "tree"
    for library in sorted(Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so.*")):
        if not library.is_symlink() and sum(file.stat().st_size for file in (tree / "bin").iterdir()) < FILL:
            shutil.copy(library, tree / "bin")
    subprocess.run(
        ["/usr/sbin/mke2fs", "-q", "-F", "-t", "ext3", "-b", "4096", "-d", tree, raw, "2G"],
        check=True,
        capture_output=True,
    )
    for tool, ending in STREAMS.items():
        packed = raw.with_name(raw.name + ending)
        with packed.open("wb") as file:
            subprocess.run([tool, "-c", "-q", "-3", raw], stdout=file, check=True)
        disk = open_image(packed)
        boot(disk)
        read = disk.unpacked  # type: ignore[attr-defined]  (what is unpacked lies in a spool)
        disk.close()
        theirs = ["sh", "-c", f"{tool} -dcq {packed} 2>/dev/null | head -c {read} >/dev/null"]
        yield (
            "compressed",
            [
                Contestant(Row("compressed", f"{tool} -dc, {read >> 20} MiB", TOOL, clock="wall"), theirs),
                Contestant(Row("compressed", tool, OURS, clock="wall"), [*COMMAND, str(packed)]),
            ],
        )


def contests(folder: Path) -> Iterator[tuple[str, list[Contestant]]]:
    """Each: the raw image first, then its containers."""
    folder.mkdir()
    raw = write_big_image(folder)
    for group, containers in (("plain", PLAIN), ("packed", PACKED)):
        if group == "packed":
            unpacked(raw)
        members = [Contestant(Row(group, "raw", OURS, clock="wall"), [*COMMAND, str(raw)])]
        for number, (name, (format_, options)) in enumerate(containers.items()):
            image = folder / f"{group}{number}.img"
            convert(raw, image, format_, options, compress=group == "packed" and format_ == "qcow2")
            members.append(Contestant(Row(group, name, OURS, clock="wall"), [*COMMAND, str(image)]))
        yield group, members
    shutil.rmtree(folder)
    folder.mkdir()
    yield from streams(folder)


def main() -> int:
    """Measure and show; 1 when a ratio is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    rows: list[Row] = []
    lines: list[str] = []
    over = False
    with tempfile.TemporaryDirectory() as folder:
        for group, members in contests(Path(folder, "images")):
            for member in members:
                member.run()
                member.row.seconds.clear()
            raw, *others = members
            for _ in range(args.turns):
                for other in others:
                    # The two of a pair run right after each other.
                    raw.run()
                    other.run()
            for index, other in enumerate(others):
                beside = raw.row.seconds[index :: len(others)]
                ratio = statistics.median(a / b for a, b in zip(other.row.seconds, beside, strict=True))
                over = over or ratio > LIMITS[group]
                lines.append(
                    f"{other.row.name}: {ratio:.2f} times {raw.row.name} (median of pairs; at most {LIMITS[group]})"
                )
            rows += [member.row for member in members]
    publish("boot on a 2 GiB image: seconds of the wall clock", rows, json_file=args.json, svg_file=None)
    print("\n".join(["", *lines]))
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
