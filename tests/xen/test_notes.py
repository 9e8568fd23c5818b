"""ELF files and what they say to Xen; expectations from xen/common/libelf and the recorded cases."""

from __future__ import annotations

import pytest

from pvgrub_sim.ondisk.xen_notes import NoteType
from pvgrub_sim.profiles.loaders import V4_1
from pvgrub_sim.xen.guest_section import c_number
from pvgrub_sim.xen.xen_info import UNSET, XenInfo, parse_features
from tests.kernel_images import BASE, START, Elf, flat, linux_notes, note
from tests.xen.loading import NO_LOADER, REFUSED, load

GUEST = "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,ELF_PADDR_OFFSET=0x0,LOADER=generic"
END = BASE + START + 20000


def boots(**changed: int | bytes | None) -> bool:
    return load(Elf(notes=linux_notes(**changed)).build()).number is None


def test_refused_elf_says_nothing_but_no_loader() -> None:
    assert load(Elf(notes=b"").build()).lines == (NO_LOADER, REFUSED)


@pytest.mark.parametrize(("segment", "section"), [(True, False), (False, True), (True, True)])
def test_notes_from_segments_or_sections(segment: bool, section: bool) -> None:
    loaded = load(Elf(in_segment=segment, in_section=section).build())
    assert loaded.image
    assert loaded.image.notes_from == "notes"
    assert loaded.image.notes["GUEST_OS"] == "linux"


def test_quirk_note_segment_at_offset_0_is_passed_over() -> None:
    assert load(Elf(note_offset=0).build()).number == 9
    assert load(Elf(note_offset=0, in_section=True).build()).guest_type


@pytest.mark.parametrize(
    ("name", "taken"), [(b"Xen\0", True), (b"Xen", True), (b"XEN\0", False), (b"Xen\0junk", True), (b"Xen ", False)]
)
def test_quirk_note_name_ends_at_its_nul(name: bytes, taken: bool) -> None:
    notes = linux_notes(LOADER=None, GUEST_OS=None) + note(NoteType.LOADER, b"generic\0", name=name)
    assert (load(Elf(notes=notes).build()).number is None) is taken


@pytest.mark.parametrize(
    ("loader", "guest_os", "taken"),
    [
        (b"generic\0", b"netbsd\0", True),
        (b"generic-x\0", b"netbsd\0", True),
        (b"Generic\0", b"netbsd\0", False),
        (b"other\0", b"linux\0", True),
        (b"other\0", b"linux-2.6\0", True),
        (b"other\0", b"Linux\0", False),
        (None, b"linux\0", True),
        (b"generic\0", None, True),
        (None, None, False),
        (b"\0", b"\0", False),
    ],
)
def test_loader_or_guest_os(loader: bytes | None, guest_os: bytes | None, taken: bool) -> None:
    assert boots(LOADER=loader, GUEST_OS=guest_os) is taken


@pytest.mark.parametrize(
    ("version", "taken"), [(b"xen-3.0\0", True), (b"xen-3.0-x\0", True), (b"xen-4.0\0", False), (None, False)]
)
def test_xen_version(version: bytes | None, taken: bool) -> None:
    assert boots(XEN_VERSION=version) is taken


@pytest.mark.parametrize(
    ("features", "taken"),
    [
        (b"foo\0", True),
        (b"!foo\0", False),
        (b"!writable_page_tables|foo\0", True),
        (b"!hvm_callback_vector\0", True),
        (b"!writable_page_tables \0", False),
        (b"!\0", False),
        (b"||\0", True),
        (b"a" * 63 + b"!foo\0", False),
        (b"a" * 62 + b"!foo\0", True),
    ],
)
def test_features(features: bytes, taken: bool) -> None:
    assert boots(FEATURES=features) is taken


def test_required_dom0_is_refused_aloud() -> None:
    loaded = load(Elf(notes=linux_notes(FEATURES=b"!dom0\0")).build())
    text = "xc_dom_parse_elf_kernel: Kernel does not support unprivileged (DomU) operation: Invalid kernel"
    assert loaded.lines == (f"xc: error: panic: xg_dom_elfloader.c:179: {text}", REFUSED)
    assert boots(FEATURES=b"dom0\0")
    assert boots(SUPPORTED_FEATURES=1 << 11)


def test_unknown_optional_features_before_42() -> None:
    kernel = Elf(notes=linux_notes(FEATURES=b"foo\0")).build()
    assert load(kernel, "xen-4.1").number == 9
    assert load(kernel, "xen-4.2").number is None
    assert not parse_features(b"dom0", XenInfo(), V4_1)


def test_libelf_complained_aloud_before_47() -> None:
    kernel = Elf(notes=linux_notes(XEN_VERSION=b"xen-4.0\0")).build()
    text = "elf_xen_note_check: ERROR: Xen will only load images built for Xen v3.0"
    assert load(kernel, "xen-4.4").lines == (f"xc: error: {text} (Not 'xen-4.0'): Invalid kernel", REFUSED)
    assert load(kernel, "xen-4.14").lines[0].endswith("no loader found: Invalid kernel")


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        ({"ENTRY": BASE + START}, True),
        ({"ENTRY": BASE + START - 1}, False),
        ({"ENTRY": END}, True),
        ({"ENTRY": END + 1}, False),
        ({"ENTRY": None}, True),
        ({"VIRT_BASE": BASE + START}, False),
        ({"VIRT_BASE": None}, False),
        ({"VIRT_BASE": None, "PADDR_OFFSET": None, "ENTRY": START, "INIT_P2M": None}, True),
        ({"PADDR_OFFSET": None}, True),
        ({"INIT_P2M": BASE + START}, False),
        ({"INIT_P2M": END - 1}, False),
        ({"INIT_P2M": END}, True),
        ({"INIT_P2M": None}, True),
        ({"HYPERCALL_PAGE": 0}, True),
    ],
)
def test_addresses(changed: dict[str, int | None], taken: bool) -> None:
    assert boots(**changed) is taken


@pytest.mark.parametrize(
    ("mode", "guest_type"),
    [
        (b"yes\0", "xen-3.0-x86_32p"),
        (b"bimodal\0", "xen-3.0-x86_32p"),
        (b"yes,bimodal\0", "xen-3.0-x86_32p"),
        (b"yes[extended-cr3]\0", None),
        (b"no\0", None),
        (None, None),
    ],
)
def test_pae_modes_of_notes(mode: bytes | None, guest_type: str | None) -> None:
    loaded = load(Elf(bits=32, notes=linux_notes(32, PAE_MODE=mode)).build(), arch="i386")
    assert loaded.guest_type == guest_type
    if guest_type is None:
        text = "guest type xen-3.0-x86_32 not supported by xen kernel, sorry: Invalid kernel"
        assert loaded.lines == (f"xc: error: panic: xg_dom_boot.c:86: xc_dom_compat_check: {text}", REFUSED)


@pytest.mark.parametrize(("mode", "taken"), [("yes", True), ("yes[extended-cr3]", True), ("bimodal", False)])
def test_pae_modes_of_the_section(mode: str, taken: bool) -> None:
    guest = f"{GUEST},PAE={mode}".replace("ffffffff80000000", "c0000000").encode()
    kernel = Elf(bits=32, notes=b"", in_segment=False, guest=guest).build()
    assert (load(kernel, arch="i386").guest_type == "xen-3.0-x86_32p") is taken


@pytest.mark.parametrize(
    ("guest", "taken"),
    [
        (GUEST, True),
        (GUEST + ",", True),
        (GUEST.replace("XEN_VER=xen-3.0,", ""), False),
        (GUEST.replace("ELF_PADDR_OFFSET=0x0", "x" * 40), False),
        (GUEST + ",VIRT_ENTRY=18446744071578845183", False),
        (GUEST + ",FEATURES=!foo,GUEST_OS=other,LOADER=other", True),
        ("FEATURES=!foo," + GUEST, False),
        (GUEST + ",LOADER=" + "x" * 127 + "GUEST_OS=other", False),
        ("PAE=no," * 1000 + GUEST, True),
        (GUEST + ",LOADER=x" * 3 + ",GUEST_OS=y" * 5, False),
        (GUEST + ",LOADER=x,LOADER=x,LOADER=generic" * 7, True),
    ],
)
def test_guest_section(guest: str, taken: bool) -> None:
    loaded = load(Elf(notes=b"", in_segment=False, guest=guest.encode()).build())
    assert (loaded.number is None) is taken


def test_quirk_unknown_required_feature_ends_the_guest_section_silently() -> None:
    loaded = load(Elf(notes=b"", in_segment=False, guest=(GUEST + ",FEATURES=!foo,PAE=no").encode()).build())
    assert loaded.image
    assert "PAE" not in loaded.image.notes


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x10", 16), ("010", 8), ("10", 10), (" 10x", 10), ("-1", UNSET), ("", 0), ("0x", 0), ("9" * 30, UNSET)],
)
def test_numbers_are_read_as_by_strtoull(text: str, value: int) -> None:
    assert c_number(text.encode()) == value


@pytest.mark.parametrize("machine", [0, 40, 50, 183])
def test_unknown_machines_are_refused_aloud(machine: int) -> None:
    loaded = load(Elf(machine=machine).build())
    text = f"xc_dom_guest_type: unknown image type {machine}: Invalid kernel"
    assert loaded.lines == (f"xc: error: panic: xg_dom_elfloader.c:88: {text}", REFUSED)


def test_quirk_guest_type_follows_the_machine_not_the_class() -> None:
    assert load(Elf(bits=32, machine=62).build()).guest_type == "xen-3.0-x86_64"


@pytest.mark.parametrize("size", [0, 4, 51, 52, 63, 64, 100, 300, 4000])
def test_cut_elf(size: int) -> None:
    assert load(Elf().build()[:size]).lines == (NO_LOADER, REFUSED)


def test_section_headers() -> None:
    whole = Elf().build()
    assert load(whole[:-1]).number == 9
    assert load(Elf(sections=False).build()).guest_type
    assert load(Elf(header={"shnum": 0xFFFF}).build()).number == 9


@pytest.mark.parametrize("ident", [{4: 0}, {4: 3}, {5: 2}, {5: 0}])
def test_class_and_byte_order(ident: dict[int, int]) -> None:
    assert load(Elf(ident=ident).build()).number == 9


def test_header_tables_past_the_end_of_any_size() -> None:
    for value in (1 << 63, (1 << 64) - 64, (1 << 64) - 1, 1 << 40):
        assert load(Elf(header={"phoff": value}).build()).number == 9
        assert load(Elf(header={"shoff": value}).build()).number in {9, None}


@pytest.mark.parametrize(
    ("image", "arch", "number"),
    [
        (flat(), "x86_64", None),
        (flat(), "i386", 13),
        (flat(0x10000 | 3 << 14), "i386", None),
        (flat(0x10000 | 1 << 14), "i386", None),
        (flat(0x10000), "x86_64", 9),
        (flat(0x10001 | 2 << 14), "x86_64", None),
        (flat(0x10002 | 2 << 14), "x86_64", 9),
        (flat(checksum=0), "x86_64", 9),
        (flat(at=8188), "x86_64", None),
        (flat(at=8192), "x86_64", 9),
        (flat(at=66), "x86_64", 9),
        (flat(header_addr=0), "x86_64", 9),
        (flat(load_end_addr=0x10), "x86_64", None),
        (flat(load_end_addr=0x7FFFFFFF), "x86_64", 9),
        (flat(bss_end_addr=0x10), "x86_64", 9),
    ],
)
def test_flat_images(image: bytes, arch: str, number: int | None) -> None:
    assert load(image, arch=arch).number == number


def test_quirk_flat_table_in_the_last_place_of_a_small_file_is_not_seen() -> None:
    assert load(flat(at=64, size=96)).number == 9
    assert load(flat(at=64, size=97)).number is None
