"""Xen's own loader accepts what we accept and refuses what we refuse, but for differences with a reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim.ondisk import bzimage as layout
from pvgrub_sim.xen.inspect import KernelFacts, examine
from pvgrub_sim.xen.repack import extract_elf, put_payload, repack
from tests.debian_kernels import debian_kernel
from tests.images import unpack_sparse
from tests.kernel_images import PACKERS, Elf, bzimage, flat, linux_notes, pack_gzip, payload
from tests.tools import require
from tests.xen.libxenguest import ask
from tests.xen.loading import load

CASES = Path(__file__).parents[2] / "fixtures" / "conformance" / "kernels"
TRUSTS_SIZE_WORD = {"xz", "lzma", "zstd", "lz4"}


def ours(kernel: bytes) -> str | None:
    """The guest type that either build accepts."""
    for arch in ("x86_64", "i386"):
        loaded = load(kernel, arch=arch)
        if loaded.image is not None:
            return loaded.guest_type
    return None


def reason_to_differ(kernel: bytes, facts: KernelFacts) -> str:
    """Why Debian's build may say something else; "" where it may not."""
    if kernel[:2] == b"\x1f\x8b":
        return "libxenguest gunzips a file itself, in PV-GRUB GRUB does"
    if facts.pae == "bimodal" or (facts.kind == "multiboot-binary" and ours(kernel) == "xen-3.0-x86_32p"):
        return "a kernel of both kinds is what the hypervisor supports, and here there is none"
    packed = facts.payload
    if packed is None or packed.format not in TRUSTS_SIZE_WORD:
        return ""
    if packed.format == "lz4" and ours(kernel) is None:
        return "lz4 is unpacked chunk by chunk by their own lengths"
    if packed.size_word != packed.unpacked:
        return "the size word is trusted"
    return ""


def compare(kernel: bytes) -> None:
    facts = examine(kernel, ())
    if facts.payload is not None and facts.payload.format in {"bzip2", "lzo"} and ours(kernel):
        # Debian's build lacks their decoders: ask for the same kernel with another payload.
        kernel = put_payload(kernel, pack_gzip(bytes(extract_elf("kernel", kernel))))
    answer = ask(kernel)
    accepted = answer.guest_type if answer.guest_type in {"xen-3.0-x86_64", "xen-3.0-x86_32p"} else None
    if accepted != ours(kernel):
        assert reason_to_differ(kernel, facts), (accepted, ours(kernel), answer.lines)


def recorded_kernels(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The kernels of the recorded cases, taken out of their images by debugfs."""
    debugfs = require("debugfs")
    for line in (CASES / "cases.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        image = unpack_sparse(CASES / case["image"], folder / "disk.img")
        commands = f"dump /boot/vmlinuz {folder / 'kernel'}\n"
        subprocess.run([debugfs, "-f", "-", image], input=commands, text=True, capture_output=True, check=True)
        if (kernel := folder / "kernel").exists():
            yield case["case"], kernel.read_bytes()
            kernel.unlink()


def test_recorded_kernels(tmp_path: Path) -> None:
    seen = 0
    for name, kernel in recorded_kernels(tmp_path):
        try:
            compare(kernel)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
        seen += 1
    assert seen > 100


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("form", list(PACKERS))
def test_made_kernels(form: str, bits: int) -> None:
    elf = Elf(bits=bits, size=30000).build()
    compare(bzimage(payload(form, elf)))
    for sixteenth in range(1, 16, 4):
        data = payload(form, elf)
        compare(bzimage(data[: len(data) * sixteenth // 16]))


CHANGES: list[dict[str, int | bytes | None]] = [
    {"LOADER": None},
    {"LOADER": None, "GUEST_OS": b"netbsd\0"},
    {"XEN_VERSION": b"xen-4.0\0"},
    {"FEATURES": b"!foo\0"},
    {"FEATURES": b"!dom0\0"},
    {"ENTRY": 0},
    {"ENTRY": None},
    {"VIRT_BASE": None},
    {"PADDR_OFFSET": None},
    {"PAE_MODE": b"no\0"},
    {"PAE_MODE": b"yes[extended-cr3]\0"},
    {"BSD_SYMTAB": b"yes\0"},
]


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_made_notes(changed: dict[str, int | bytes | None], bits: int) -> None:
    notes = linux_notes(bits, **changed)
    compare(Elf(bits=bits, notes=notes).build())
    compare(Elf(bits=bits, notes=notes, in_segment=False, in_section=True).build())


def test_flat_images() -> None:
    for image in (flat(), flat(0), flat(checksum=0), flat(at=8188), flat(at=8192), flat(load_end_addr=1 << 31)):
        compare(image)


@pytest.mark.parametrize("form", ["gzip", "xz", "none"])
@pytest.mark.parametrize("pv_only", [False, True])
def test_repacked_kernels(form: str, pv_only: bool) -> None:
    elf = Elf(size=30000).build()
    for source in ("zstd", "lz4", "lzo"):
        made = repack("kernel", bzimage(payload(source, elf)), form, pv_only=pv_only)
        assert ask(made).guest_type == "xen-3.0-x86_64"
        assert load(made).guest_type == "xen-3.0-x86_64"


@pytest.mark.parametrize("package", ["linux-image-amd64", "linux-image-cloud-amd64"])
def test_debian_kernels(package: str) -> None:
    kernel = debian_kernel(package).read_bytes()
    assert ask(kernel).guest_type == ours(kernel) == "xen-3.0-x86_64"
    made = repack("kernel", kernel, "gzip")
    assert ask(made).guest_type == load(made, "amazon-1.01").guest_type == "xen-3.0-x86_64"
    damaged = bytearray(kernel)
    header = layout.read_setup_header(kernel)
    damaged[header.payload_start + header.payload_length // 2] ^= 0x10
    if package == "linux-image-amd64":
        assert ask(bytes(damaged)).guest_type is None
        assert ours(bytes(damaged)) is None
