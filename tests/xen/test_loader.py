"""The loaders, their order and their words; expectations from Xen's sources and the recorded cases."""

from __future__ import annotations

import pytest

from pvgrub_sim.profiles import find_profile
from pvgrub_sim.xen import memory as memory_module
from pvgrub_sim.xen import payload as payload_module
from pvgrub_sim.xen.loader import parse_image
from pvgrub_sim.xen.memory import MOST, LoaderMemory
from pvgrub_sim.xen.payload import FORMATS
from pvgrub_sim.xen.refusal import Cause
from tests.kernel_images import PACKERS, Elf, bzimage, flat, linux_notes, pack_gzip, payload
from tests.xen.loading import NO_LOADER, REFUSED, load, probe_line

ELF = Elf().build()


@pytest.mark.parametrize("form", [form for form in PACKERS if form != "none"])
def test_every_format_boots_on_417(form: str) -> None:
    loaded = load(bzimage(payload(form, ELF)))
    assert (loaded.guest_type, loaded.lines) == ("xen-3.0-x86_64", ())
    assert loaded.image
    assert loaded.image.payload == form
    assert loaded.image.size == len(ELF) + (16 if form == "gzip" else 0)


def test_plain_elf_boots_silently() -> None:
    loaded = load(ELF)
    assert (loaded.guest_type, loaded.lines) == ("xen-3.0-x86_64", ())


def test_quirk_failed_probe_leaves_the_blob_at_the_payload() -> None:
    """An uncompressed ELF in a bzImage is an unknown format, and boots all the same."""
    loaded = load(bzimage(payload("none", ELF)))
    assert loaded.lines == (probe_line(813, ": unknown compression format"),)
    assert loaded.guest_type == "xen-3.0-x86_64"


def test_damaged_payload_leaves_it_packed() -> None:
    data = bytearray(payload("gzip", ELF))
    data[len(data) // 2] ^= 1
    loaded = load(bzimage(bytes(data)))
    assert loaded.number == 9
    assert loaded.lines[1:] == (probe_line(740, ": unable to gzip decompress kernel"), NO_LOADER, REFUSED)


@pytest.mark.parametrize(
    ("image", "line"),
    [
        (bzimage(ELF, version=0x207), probe_line(707, ": boot protocol too old (0207)")),
        (bzimage(ELF, version=0x200, length=1 << 31), probe_line(707, ": boot protocol too old (0200)")),
        (bzimage(b"", trailing=b""), probe_line(721, ": payload offset overflow")),
        (bzimage(ELF, length=len(ELF) + 101), probe_line(727, ": payload length overflow")),
        (bzimage(ELF, length=0xFFFFFFFF), probe_line(727, ": payload length overflow")),
        (bzimage(b"\x02\x21" + bytes(50)), "invalid header"),
    ],
)
def test_header_checks_and_their_order(image: bytes, line: str) -> None:
    loaded = load(image)
    assert loaded.number == 9
    assert line in loaded.lines[0]
    assert loaded.lines[-2:] == (NO_LOADER, REFUSED)


@pytest.mark.parametrize("size", [0, 51, 496, 591])
def test_short_files_are_silently_no_bzimage(size: int) -> None:
    assert load(bzimage(payload("gzip", ELF))[:size]).lines == (NO_LOADER, REFUSED)


def test_setup_sects_is_taken_literally() -> None:
    assert load(bzimage(payload("gzip", ELF), setup_sects=0, offset=0x400)).guest_type
    assert load(bzimage(payload("gzip", ELF), setup_sects=255)).guest_type


def test_quirk_line_feed_in_the_complaints_of_lzo_and_lz4() -> None:
    for form, line, word in (("lzo", 794, "LZO"), ("lz4", 805, "LZ4")):
        loaded = load(bzimage(payload(form, ELF)[:1000]))
        complaint = probe_line(line, f" unable to {word} decompress kernel").removesuffix(": Invalid kernel")
        assert loaded.lines[1:3] == (complaint, ": Invalid kernel")


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_width(arch: str) -> None:
    other = "i386" if arch == "x86_64" else "x86_64"
    words = {
        "x86_64": "can only boot x86 64 kernels, not xen-3.0-x86_32p",
        "i386": "can only boot x86 32 PAE kernels, not xen-3.0-x86_64",
    }
    kernels = {"x86_64": ELF, "i386": Elf(bits=32).build()}
    assert load(kernels[arch], arch=arch).lines == ()
    loaded = load(kernels[other], arch=arch)
    assert (loaded.number, loaded.lines) == (13, (words[arch],))


def test_flat_image_is_looked_for_first_even_in_an_elf() -> None:
    kernel = bytearray(ELF)
    kernel[1024:1056] = flat(0)[64:96]
    loaded = load(bytes(kernel))
    line = "xen_bin_image_table flags required 0x00010000 found 0x00000000: Invalid kernel"
    assert loaded.lines == (f"xc: error: panic: xg_dom_binloader.c:175: xc_dom_parse_bin_kernel: {line}", REFUSED)


@pytest.mark.parametrize(
    ("profile", "form", "boots"),
    [
        ("amazon-1.03", "gzip", True),
        ("amazon-1.03", "xz", False),
        ("amazon-1.04", "xz", True),
        ("amazon-1.05", "lzo", True),
        ("amazon-1.05", "lzma", False),
        ("amazon-1.05", "lz4", False),
        ("xen-4.3", "lzma", True),
        ("xen-4.3", "lz4", False),
        ("xen-4.4.0", "lz4", True),
        ("xen-4.4", "lz4", False),
        ("xen-4.6", "lz4", False),
        ("xen-4.14", "lz4", True),
        ("xen-4.14", "zstd", False),
        ("xen-4.15", "zstd", True),
    ],
)
def test_formats_of_each_release(profile: str, form: str, boots: bool) -> None:
    loaded = load(bzimage(payload(form, ELF)), profile)
    assert (loaded.number is None) is boots
    if not boots and loaded.cause is not Cause.LZ4_BROKEN:
        assert any("unknown compression format" in line for line in loaded.lines)


def test_lz4_fault_is_one_of_the_64_bit_builds() -> None:
    """Matches of 4 to 7 bytes were refused there; a payload without any was not."""
    kernel32 = bzimage(payload("lz4", Elf(bits=32).build()))
    assert load(kernel32, "xen-4.6", "i386").guest_type == "xen-3.0-x86_32p"
    stored = payload_without_matches(ELF)
    assert load(bzimage(stored), "xen-4.6").guest_type == "xen-3.0-x86_64"


def payload_without_matches(data: bytes) -> bytes:
    """An lz4 payload of literals only."""
    extra = len(data) - 15
    block = b"\xf0" + b"\xff" * (extra // 255) + bytes([extra % 255]) + data
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block + len(data).to_bytes(4, "little")


def test_releases_before_43_know_formats_by_name_only() -> None:
    loaded = load(bzimage(payload("xz", ELF)), "xen-4.2")
    assert loaded.lines[0].endswith(": xc_dom_probe_bzimage_kernel unable to XZ decompress kernel: Invalid kernel")


def test_words_of_40_as_in_a_console_log_of_2010() -> None:
    """EC2, FreeBSD's loader as the kernel."""
    loaded = load(bytes(5000), "amazon-1.01")
    assert loaded.lines[0] == "xc_dom_probe_bzimage_kernel: kernel is not a bzImage"
    assert loaded.lines[1] == "ERROR Invalid kernel: xc_dom_find_loader: no loader found"
    assert loaded.lines[2:] == ("", "xc_dom_core.c:523: panic: xc_dom_find_loader: no loader found", REFUSED)


def test_words_of_40_as_in_a_console_log_of_2014() -> None:
    """Debian 7.4 on EC2, an xz kernel."""
    loaded = load(bzimage(payload("xz", ELF)), "amazon-1.03")
    assert loaded.lines[:3] == (
        "ERROR Invalid kernel: xc_dom_probe_bzimage_kernel: unknown compression format",
        "",
        "xc_dom_bzimageloader.c:394: panic: xc_dom_probe_bzimage_kernel: unknown compression format",
    )


def test_words_of_40_for_a_kernel_without_notes() -> None:
    """AWS's troubleshooting page."""
    kernel = Elf(notes=linux_notes(LOADER=None, GUEST_OS=b"other\0")).build()
    words = "ERROR Invalid kernel: elf_xen_note_check: ERROR: Will only load images built for the generic loader or "
    assert load(bzimage(payload("gzip", kernel)), "amazon-1.01").lines == (words + "Linux images", REFUSED)


def test_same_kernel_is_unpacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = bzimage(payload("xz", Elf(seed=99).build()))
    memory = LoaderMemory()
    load(kernel, memory=memory)
    monkeypatch.setattr(payload_module.Format, "decoder", property(lambda _: pytest.fail("unpacked again")))
    assert load(bytes(bytearray(kernel)), memory=memory).guest_type
    assert load(kernel, arch="i386", memory=memory).number == 13


def test_memory_forgets_what_was_longest_unused() -> None:
    memory = LoaderMemory()
    kernels = [bytes([number]) * 100 for number in range(MOST + 1)]
    first = memory.of(kernels[0])
    assert memory.of(kernels[0]) is first
    for kernel in kernels[1:]:
        memory.of(kernel)
    assert memory.of(kernels[0]) is not first


def test_memory_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MOST_BYTES", 100)
    memory = LoaderMemory()
    first, second = memory.of(b"a" * 60), memory.of(b"b" * 60)
    assert memory.of(b"b" * 60) is second
    assert memory.of(b"a" * 60) is not first
    large = memory.of(b"c" * 200)
    assert memory.of(b"c" * 200) is large


def test_no_unpack_checks_headers_and_format_only() -> None:
    lines: list[str] = []
    damaged = bzimage(payload("xz", ELF)[:-1000])
    image = parse_image(damaged, find_profile("xen-4.17"), lines.append, unpack=False)
    assert (image.payload, image.guest_type, image.size, lines) == ("xz", "", None, [])
    assert load(damaged).number == 9


def test_a_refusal_tells_what_the_kernel_is() -> None:
    kernel = bzimage(payload("zstd", ELF))
    loaded = load(kernel, "amazon-1.05")
    assert loaded.reason == "this PV-GRUB does not unpack zstd payloads"


def test_loader_looks_for_the_formats_in_xens_order() -> None:
    assert [form.name for form in FORMATS] == ["gzip", "bzip2", "xz", "zstd", "lzma", "lzo", "lz4"]


def test_one_layer_only() -> None:
    assert load(bzimage(payload("gzip", pack_gzip(ELF)))).lines == (NO_LOADER, REFUSED)
