"""The words of libxc, release by release (tools/libxc and tools/libs/guest of each)."""

from __future__ import annotations

import pytest

from tests.kernel_images import Elf, linux_notes
from tests.xen.loading import load

NO_KERNEL = bytes(5000)


@pytest.mark.parametrize(
    ("pvgrub", "first", "file"),
    [
        ("amazon-1.01", "xc_dom_probe_bzimage_kernel: kernel is not a bzImage", "xc_dom_core.c"),
        ("xen-4.1", "xc_dom_probe_bzimage_kernel: kernel is not a bzImage: Invalid kernel", "xc_dom_core.c"),
        ("xen-4.2", "xc_dom_find_loader: no loader found: Invalid kernel", "xc_dom_core.c"),
        ("xen-4.14", "xc_dom_find_loader: no loader found: Invalid kernel", "xc_dom_core.c"),
        ("xen-4.15", "xc_dom_find_loader: no loader found: Invalid kernel", "xg_dom_core.c"),
    ],
)
def test_no_bzimage_is_said_up_to_41(pvgrub: str, first: str, file: str) -> None:
    lines = load(NO_KERNEL, pvgrub).lines
    assert lines[0].endswith(first)
    assert any(file in line for line in lines)
    assert lines[-1] == "xc_dom_parse_image returned -1"


@pytest.mark.parametrize(
    ("pvgrub", "lines"),
    [
        (
            "xen-4.2",
            (
                "xc: error: elf_xen_note_check: ERROR: Will only load images built for the generic loader or Linux "
                "images: Invalid kernel",
            ),
        ),
        (
            "xen-4.4",
            (
                "xc: error: elf_xen_note_check: ERROR: Will only load images built for the generic loader or Linux "
                "images (Not 'mine' and 'other'): Invalid kernel",
            ),
        ),
    ],
)
def test_libelf_aloud(pvgrub: str, lines: tuple[str, ...]) -> None:
    kernel = Elf(notes=linux_notes(LOADER=b"mine\0", GUEST_OS=b"other\0")).build()
    assert load(kernel, pvgrub).lines == (*lines, "xc_dom_parse_image returned -1")


def test_corrupted_elf_is_said_before_47() -> None:
    kernel = Elf(header={"phoff": 1 << 40}).build()
    assert "xc_dom_parse_elf_kernel: corrupted ELF image: Invalid kernel" in load(kernel, "xen-4.4").lines[0]
    assert load(kernel, "xen-4.14").lines[0].endswith("no loader found: Invalid kernel")
