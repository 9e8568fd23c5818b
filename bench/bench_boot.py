"""Whole runs of `pvgrub-sim boot`, beside the tools that do part of the same work, in turns within one run.

Debian's xz kernel (linux-image-amd64), the same repacked with gzip, and the lz4 kernel (linux-image-cloud-amd64),
each on an ext2 image by mke2fs, against the tool that unpacks the payload to nowhere; and the menu and file checks
alone against pygrub, GRUB legacy's own shell and GRUB 2's grub-fstest. Tools that are not installed take no part. The
wall clock of whole processes counts; CPU seconds and, with GNU time installed, peak memory are printed beside.

    python bench/bench_boot.py [--turns N] [--json FILE] [--svg FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import OURS, TOOL, Row, publish
from pvgrub_sim.ondisk.bzimage import read_setup_header
from pvgrub_sim.xen.repack import repack
from tests.debian_kernels import debian_kernel

MIB = 1 << 20
MENU = """\
default 0
timeout 0
title Debian
root (hd0)
kernel /boot/vmlinuz root=LABEL=/ console=hvc0
initrd /boot/initrd.img
"""
OURS_COMMAND = [str(Path(sys.executable).parent / "pvgrub-sim"), "boot", "--pvgrub", "xen-4.17", "--config"]
CONFIG = "(hd0)/boot/grub/menu.lst"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/xen-4.17/bin"


@dataclass
class Contestant:
    """A command that ends with status 0."""

    row: Row
    command: Sequence[str]
    stdin: Path = Path(os.devnull)
    cpu: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One turn: seconds of the wall clock and of CPU of the whole process."""
        with self.stdin.open("rb") as source:
            begin = time.perf_counter()
            child = subprocess.Popen(self.command, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            self.row.seconds.append(time.perf_counter() - begin)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{' '.join(self.command)} ended with {child.returncode}")
        self.cpu.append(usage.ru_utime + usage.ru_stime)

    def peak(self) -> int | None:
        """Peak memory in KiB as GNU time tells it: its process is small, so that it does not count this one's."""
        tool = shutil.which("time", path=PATH)
        if tool is None:
            return None
        words = [tool, "-f", "%M", *self.command]
        with self.stdin.open("rb") as source:
            done = subprocess.run(words, stdin=source, capture_output=True, check=True)
        return int(done.stderr.split()[-1])


def make_image(folder: Path, name: str, kernel: bytes) -> Path:
    """An ext2 image that boots the kernel."""
    tree = folder / f"{name}.tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(kernel)
    (tree / "boot/initrd.img").write_bytes(b"070701" * 20000)
    (tree / "boot/grub/menu.lst").write_text(MENU)
    image = folder / f"{name}.img"
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", tree, image, "48M"],
        check=True, env={**os.environ, "PATH": PATH}, capture_output=True,
    )  # fmt: skip
    return image


def payload_of(kernel: bytes) -> bytes:
    """The bytes of a bzImage's payload."""
    header = read_setup_header(kernel)
    return kernel[header.payload_start : header.payload_start + header.payload_length]


def contests(folder: Path) -> Iterator[list[Contestant]]:
    """Each: ours first, then what it is held against."""
    xz = debian_kernel("linux-image-amd64").read_bytes()
    lz4 = debian_kernel("linux-image-cloud-amd64").read_bytes()
    kernels = {"xz": xz, "gzip": repack("vmlinuz", xz, "gzip", pv_only=True), "lz4": lz4}
    images = {name: make_image(folder, name, kernel) for name, kernel in kernels.items()}
    for name, kernel in kernels.items():
        group = f"boot Debian's kernel, {name} payload"
        row = Row(group, "pvgrub-sim boot", OURS, clock="wall")
        members = [Contestant(row, [*OURS_COMMAND, CONFIG, str(images[name])])]
        tool = shutil.which(name, path=PATH)
        if tool and name != "lz4":
            payload = folder / f"payload.{name}"
            # gzip and xz want a whole stream and nothing behind it: xz payloads end in a size word.
            payload.write_bytes(payload_of(kernel)[:-4] if name == "xz" else payload_of(kernel))
            members.append(Contestant(Row(group, f"{name} -dc", TOOL, clock="wall"), [tool, "-dc"], payload))
        yield members
    group = "menu and files alone"
    row = Row(group, "pvgrub-sim --no-unpack", OURS, clock="wall")
    members = [Contestant(row, [*OURS_COMMAND, CONFIG, "--no-unpack", str(images["xz"])])]
    if tool := shutil.which("pygrub", path=PATH):
        words = [tool, "-q", "-n", str(images["xz"])]
        members.append(Contestant(Row(group, "pygrub -q -n", TOOL, clock="wall"), words))
    if tool := shutil.which("grub", path=PATH):
        device_map = folder / "device.map"
        device_map.write_text(f"(hd0) {images['xz']}\n")
        script = folder / "script"
        script.write_text("root (hd0)\nkernel /boot/vmlinuz\nquit\n")
        shell = [tool, "--batch", "--no-floppy", f"--device-map={device_map}"]
        members.append(Contestant(Row(group, "GRUB legacy's shell", TOOL, clock="wall"), shell, script))
    if tool := shutil.which("grub-fstest", path=PATH):
        words = [tool, str(images["xz"]), "crc", "(loop0)/boot/vmlinuz"]
        members.append(Contestant(Row(group, "grub-fstest crc", TOOL, clock="wall"), words))
    members.append(Contestant(Row(group, "python -c pass", TOOL, clock="wall"), [sys.executable, "-c", "pass"]))
    yield members


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    args = parser.parse_args()
    rows: list[Row] = []
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for members in contests(Path(folder)):
            for member in members:
                member.run()
                member.row.seconds.clear()
                member.cpu.clear()
            for _ in range(args.turns):
                for member in members:
                    member.run()
            mine, *others = members
            if (peak := mine.peak()) is not None:
                lines.append(f"{mine.row.group}: peak memory {peak // 1024} MiB")
            for other in others:
                wall = statistics.median(a / b for a, b in zip(mine.row.seconds, other.row.seconds, strict=True))
                cpu = statistics.median(mine.cpu) / statistics.median(other.cpu)
                lines.append(f"{mine.row.group}: {wall:.2f} times {other.row.name} (median of pairs; CPU {cpu:.2f})")
            rows += [member.row for member in members]
    publish("Whole runs: seconds of the wall clock", rows, json_file=args.json, svg_file=args.svg)
    print("\n".join(["", *lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
