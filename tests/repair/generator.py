"""Disk images with several faults at once, one a seed: made with mke2fs, mkfs.vfat, mtools, sfdisk and debugfs."""

from __future__ import annotations

import functools
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.kernel_images import Elf, bzimage, linux_notes, payload
from tests.tools import run

MIB: Final = 1 << 20
START: Final = MIB
"""Bytes in front of the first partition."""
VOLUME: Final = 6 * MIB
DATA: Final = 2 * MIB
"""Bytes of the second partition, whose content is nobody's business."""
LABEL: Final = "rootfs"
NEW_VERSIONS: Final = ("amazon-1.04", "amazon-1.05", "xen-4.8", "xen-4.17")
OLD_VERSIONS: Final = ("amazon-1.01", "amazon-1.02", "amazon-1.03")


@functools.cache
def kernel(form: str, *, bits: int = 64, xen: bool = True) -> bytes:
    """A bzImage. form: of its payload."""
    elf = Elf(bits=bits, notes=linux_notes(bits) if xen else b"", size=60_000)
    return bzimage(payload(form, elf.build()))


@dataclass
class Spec:
    """An image to be: sound as it is, until faults are put into it."""

    rng: random.Random
    filesystem: str = "ext3"
    features: list[str] = field(default_factory=list)
    table: str = "none"
    type: str = "83"
    version: str = "amazon-1.05"
    prefix: str = "/boot"
    device: str = "(hd0)"
    header: list[str] = field(default_factory=lambda: ["default 0", "timeout 0"])
    title: str = "Linux"
    arguments: str = f"root=LABEL={LABEL} ro console=hvc0"
    kernel_line: str = "kernel {prefix}/vmlinuz-3.2 {arguments}"
    initrd_line: str = "initrd {prefix}/initrd-3.2"
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    menu_path: str = "/boot/grub/menu.lst"
    ending: str = "\n"
    packed: bool = False
    menu: bool = True
    after: list[str] = field(default_factory=list)
    """Commands for debugfs."""
    cut: int = 0
    """Bytes that are missing at the end of the filesystem."""

    @property
    def menu_text(self) -> bytes:
        """The menu as it is written."""
        names = {"prefix": self.prefix, "arguments": self.arguments}
        lines = [*self.header, f"title {self.title}", f"root {self.device}"]
        lines += [self.kernel_line.format(**names), self.initrd_line.format(**names)]
        text = (self.ending.join(lines) + self.ending).encode("utf-8", "surrogateescape")
        return gzip.compress(text, mtime=0) if self.packed else text


def _features(*names: str) -> Callable[[Spec], None]:
    def put(spec: Spec) -> None:
        if spec.filesystem != "vfat":
            spec.filesystem = "ext4"
            spec.features += names

    return put


def _kernel(form: str, **options: Any) -> Callable[[Spec], None]:
    def put(spec: Spec) -> None:
        spec.files["/boot/vmlinuz-3.2"] = kernel(form, **options)

    return put


def _replaced(name: str, value: Any) -> Callable[[Spec], None]:
    return lambda spec: setattr(spec, name, value)


def _header(*lines: str) -> Callable[[Spec], None]:
    return lambda spec: spec.header.extend(lines)


def _ext_only(change: Callable[[Spec], None]) -> Callable[[Spec], None]:
    return lambda spec: None if spec.filesystem == "vfat" else change(spec)


def _partition_fault(spec: Spec, kind: str) -> None:
    if spec.table == "none":
        spec.device = "(hd0,0)"
    elif spec.table == "mbr":
        spec.type = kind
    else:
        spec.version = spec.rng.choice(OLD_VERSIONS)


def _wrong_case(spec: Spec) -> None:
    spec.kernel_line = spec.kernel_line.replace("vmlinuz", "VMLinuz")


def _kernel_hole(spec: Spec) -> None:
    spec.files["/boot/vmlinuz-3.2"] = kernel("gzip") + bytes(300_000) + b"end"


def _grub2_only(spec: Spec) -> None:
    spec.menu = False
    text = f"menuentry 'Linux' {{\n set root='hd0'\n linux /boot/vmlinuz-3.2 {spec.arguments}\n"
    spec.files["/boot/grub/grub.cfg"] = (text + " initrd /boot/initrd-3.2\n}\n").encode()


def _elsewhere(path: str) -> Callable[[Spec], None]:
    return _replaced("menu_path", path)


def _gone(path: str) -> Callable[[Spec], None]:
    def put(spec: Spec) -> None:
        spec.files.pop(path, None)

    return put


def _linked(spec: Spec) -> None:
    spec.menu_path = "/boot/grub/grub.conf"
    spec.links["/boot/grub/menu.lst"] = "no-such-file"


def _kept_names(spec: Spec) -> None:
    spec.files |= {"/boot/grub/menu.lst.orig": b"mine\n", "/boot/vmlinuz-3.2.orig": b"mine too\n"}


def _full(spec: Spec) -> None:
    spec.files["/var/full"] = random.Random(1).randbytes(3 * MIB)


HOSTILE_TITLES: Final = ("$(touch P)", "`touch P`", "';touch P;'", "!touch P", "-rf /", "a \x1b[2J b", "x" * 4000)


def _hostile_title(spec: Spec) -> None:
    spec.title = spec.rng.choice(HOSTILE_TITLES)


def _hostile_kernel(spec: Spec) -> None:
    name = spec.rng.choice(
        ("-k", "k$(touch~P)", "k';touch~P;'", "!touch", "k@@1", "k?offset=0", "k" * 250, "k:1", "k*")
    )
    if spec.filesystem == "vfat" and any(char in name for char in '*?:"'):
        return
    spec.files[f"/boot/{name}"] = spec.files.pop("/boot/vmlinuz-3.2", kernel("xz"))
    spec.kernel_line = spec.kernel_line.replace("vmlinuz-3.2", name.replace("{", "{{"))


FAULTS: Final[dict[str, dict[str, Callable[[Spec], None]]]] = {
    "filesystem": {
        "64bit": _features("64bit"),
        "today": _features("64bit", "metadata_csum"),
        "checksums": _features("metadata_csum"),
        "no-extents": _features("^extent"),
        "meta-bg": _features("meta_bg,^resize_inode"),
        "flex": _features("flex_bg", "uninit_bg"),
        "inline": _features("inline_data"),
        "recovery": _ext_only(lambda spec: spec.after.append("feature needs_recovery")),
        "unclean": _ext_only(lambda spec: spec.after.append("ssv state 0")),
        "wrong-count": _ext_only(lambda spec: spec.after.append("ssv free_blocks_count 77")),
        "truncated": lambda spec: setattr(spec, "cut", 512 << 10),
        "full": _full,
    },
    "partitioning": {
        "swap-type": lambda spec: _partition_fault(spec, "82"),
        "lvm-type": lambda spec: _partition_fault(spec, "8e"),
        "old-version": lambda spec: setattr(spec, "version", spec.rng.choice(OLD_VERSIONS)),
        "other-device": lambda spec: setattr(spec, "device", spec.rng.choice(("(hd0,3)", "(hd1)", "(hd0,1)"))),
    },
    "menu": {
        "default-beyond": lambda spec: spec.header.__setitem__(0, "default 7"),
        "default-saved": lambda spec: spec.header.__setitem__(0, "default saved"),
        "no-timeout": lambda spec: spec.header.__setitem__(1, ""),
        "fallback": _header("fallback 5"),
        "unknown": _header("insmod ext2"),
        "quoted": lambda spec: spec.header.__setitem__(0, 'default="0"'),
        "grub2-words": lambda spec: setattr(spec, "kernel_line", spec.kernel_line.replace("kernel", "linux")),
        "dos": _replaced("ending", "\r\n"),
        "packed": _replaced("packed", True),
        "grub-conf": _elsewhere("/boot/grub/grub.conf"),
        "dangling": _ext_only(_linked),
        "at-grub": _elsewhere("/grub/menu.lst"),
        "grub2-only": _grub2_only,
        "title": _hostile_title,
        "kept-names": _kept_names,
    },
    "kernel": {
        "xz": _kernel("xz"),
        "zstd": _kernel("zstd"),
        "lz4": _kernel("lz4"),
        "lzo": _kernel("lzo"),
        "bzip2": _kernel("bzip2"),
        "lzma": _kernel("lzma"),
        "no-xen": _kernel("gzip", xen=False),
        "cut-short": lambda spec: spec.files.update({"/boot/vmlinuz-3.2": kernel("gzip")[:9000]}),
        "holes": _kernel_hole,
        "gone": _gone("/boot/vmlinuz-3.2"),
        "case": _wrong_case,
        "name": _hostile_kernel,
    },
    "root": {
        "no-root": _replaced("arguments", "ro console=hvc0"),
        "wrong-label": _replaced("arguments", "root=LABEL=other ro console=hvc0"),
        "no-console": _replaced("arguments", f"root=LABEL={LABEL} ro"),
        "quoted-root": _replaced("arguments", f'root="LABEL={LABEL}" ro console=hvc0'),
        "initrd-gone": _gone("/boot/initrd-3.2"),
        "initrd-case": lambda spec: setattr(spec, "initrd_line", "initrd {prefix}/Initrd-3.2"),
        "no-prefix": _replaced("prefix", ""),
    },
}  # fmt: skip
"""Faults by the part of the image that has them; what a fault means on FAT or without a table, it says itself."""


def _sound(rng: random.Random) -> Spec:
    spec = Spec(rng, filesystem=rng.choice(("ext2", "ext3", "ext4", "ext4", "ext4", "vfat")))
    spec.table = rng.choice(("none", "none", "mbr", "mbr", "gpt"))
    spec.version = rng.choice(NEW_VERSIONS)
    spec.device = "(hd0)" if spec.table == "none" else "(hd0,0)"
    spec.type = "c" if spec.filesystem == "vfat" else "83"
    fstab = f"LABEL={LABEL} / {spec.filesystem} defaults 0 1\n".encode()
    spec.files = {"/boot/vmlinuz-3.2": kernel("gzip"), "/boot/initrd-3.2": gzip.compress(rng.randbytes(3000), mtime=0)}
    spec.files |= {"/etc/fstab": fstab, "/var/data": rng.randbytes(40_000), "/home/a b/it's": b"words\n"}
    return spec


def make(seed: int, folder: Path) -> tuple[Path, dict[str, Any], tuple[str, ...]]:
    """Make an image of two to five faults: its path, options of boot() for it, and the names of the faults."""
    rng = random.Random(seed)
    spec = _sound(rng)
    parts = rng.sample(sorted(FAULTS), rng.randint(2, 5))
    faults = []
    for part in parts:
        name = rng.choice(sorted(FAULTS[part]))
        FAULTS[part][name](spec)
        faults.append(f"{part}:{name}")
    if spec.menu:
        spec.files[spec.menu_path] = spec.menu_text
    volume = folder / "volume.img"
    (_fat if spec.filesystem == "vfat" else _ext)(spec, volume, folder)
    image = _partitioned(spec, volume, folder)
    volume.unlink()
    options: dict[str, Any] = {"pvgrub": spec.version}
    if spec.version.startswith("xen"):
        options["config"] = f"{'(hd0)' if spec.table == 'none' else '(hd0,0)'}/boot/grub/menu.lst"
    return image, options, (f"{spec.filesystem}/{spec.table}", *faults)


def _tree(spec: Spec, folder: Path) -> Path:
    tree = folder / "tree"
    for path, data in spec.files.items():
        file = tree / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for path, to in spec.links.items():
        link = tree / path[1:]
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(to)
    return tree


def _ext(spec: Spec, volume: Path, folder: Path) -> None:
    features = ["-O", ",".join(("^64bit", "^metadata_csum", *spec.features))]
    if spec.filesystem == "ext2":
        features = []
    words = ["-q", "-F", "-t", spec.filesystem, "-L", LABEL, *features, "-U", "11111111-2222-3333-4444-555555555555"]
    run("mke2fs", *words, "-d", _tree(spec, folder), volume, f"{VOLUME >> 10}k")
    if spec.after:
        script = "".join(f"{command}\n" for command in spec.after).encode()
        run("debugfs", "-w", "-f", "-", volume, stdin=script)


def _fat(spec: Spec, volume: Path, folder: Path) -> None:
    volume.write_bytes(bytes(VOLUME))
    run("mkfs.vfat", "-F", "12", "-n", LABEL.upper(), "-i", "12345678", volume)
    _mtools(volume, "mcopy", "-s", *sorted(_tree(spec, folder).iterdir()), "::/")


def _mtools(volume: Path, tool: str, *words: str | Path) -> None:
    run(tool, "-i", volume, *words)


def _partitioned(spec: Spec, volume: Path, folder: Path) -> Path:
    image = folder / "disk.img"
    data = volume.read_bytes()
    if spec.table == "none":
        image.write_bytes(data[: len(data) - spec.cut])
        return image
    with image.open("wb") as file:
        file.truncate(START + VOLUME + DATA + MIB)
    kind = {"mbr": "dos", "gpt": "gpt"}[spec.table]
    types = (spec.type, "83") if spec.table == "mbr" else ("L", "L")
    second = START + VOLUME
    rows = f"start={START // 512},size={VOLUME // 512},type={types[0]}\n"
    rows += f"start={second // 512},size={DATA // 512},type={types[1]}\n"
    run("sfdisk", "-q", image, stdin=f"label: {kind}\n{rows}".encode())
    with image.open("r+b") as file:
        file.seek(START)
        file.write(data)
        file.seek(second)
        file.write(random.Random(2).randbytes(8192))
    return image
