"""Which guest a kernel says that it is: rules about Linux are to leave the others alone."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from pvgrub_sim.bootchain import run_auto
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.guest import GuestKind, guest_of, is_linux
from pvgrub_sim.request import read_request
from pvgrub_sim.verdict import NO_OPTIONS
from tests.kernel_images import Elf, bzimage, linux_notes, payload
from tests.tools import run

MENU = "default 0\ntimeout 0\nfallback 1\ntitle A\nroot (hd0)\nkernel /a\ntitle B\nroot (hd0)\nkernel /b\n"


def case_of(image: Path, stack: ExitStack) -> Case:
    request = read_request(image, stack, **{**NO_OPTIONS, "pvgrub": "amazon-1.05"})
    return Case(run_auto(request.disks, request.profile), request.disks)


def image_of(folder: Path, first: bytes, second: bytes) -> Path:
    tree = folder / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/menu.lst").write_text(MENU)
    (tree / "a").write_bytes(first)
    (tree / "b").write_bytes(second)
    run("mke2fs", "-q", "-F", "-t", "ext2", "-O", "^resize_inode", "-d", tree, folder / "disk.img", "4M")
    return folder / "disk.img"


def other(name: bytes) -> bytes:
    return Elf(notes=linux_notes(GUEST_OS=name + b"\0", GUEST_VERSION=b"2.12\0")).build()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"linux", GuestKind.LINUX),
        (b"GRUB", GuestKind.GRUB2),
        (b"Mini-OS", GuestKind.MINI_OS),
        (b"NetBSD", GuestKind.NETBSD),
        (b"FreeBSD", GuestKind.FREEBSD),
        (b"Solaris", GuestKind.SOLARIS),
        (b"plan9", GuestKind.OTHER),
    ],
)
def test_the_name_that_a_guest_gives(name: bytes, kind: GuestKind, tmp_path: Path) -> None:
    """Of the kernel that boots, and of one that PV-GRUB never came to."""
    with ExitStack() as stack:
        case = case_of(image_of(tmp_path, other(name), other(name)), stack)
        kernels = list(case.files("kernel"))
        assert [ref.entry is case.booted for ref in kernels] == [True, False]
        for ref in kernels:
            guest = guest_of(case, ref)
            assert guest is not None and (guest.kind, guest.name, guest.version) == (kind, name.decode(), "2.12")
            assert is_linux(case, ref) is (kind is GuestKind.LINUX)


def test_of_the_old_section_and_of_a_refused_kernel(tmp_path: Path) -> None:
    section = b"GUEST_OS=Mini-OS,XEN_VER=xen-2.0,VIRT_BASE=0x0,LOADER=generic"
    refused = Elf(notes=b"", in_segment=False, guest=section).build()
    with ExitStack() as stack:
        case = case_of(image_of(tmp_path, refused, bzimage(payload("gzip", Elf().build()))), stack)
        first, second = case.files("kernel")
        guest = guest_of(case, first)
        assert guest is not None and guest.kind is GuestKind.MINI_OS
        assert is_linux(case, second) and case.booted is second.entry


def test_what_says_nothing_is_no_guest(tmp_path: Path) -> None:
    with ExitStack() as stack:
        case = case_of(image_of(tmp_path, b"no kernel" * 100, bzimage(payload("lz4", Elf().build()))), stack)
        first, second = case.files("kernel")
        assert guest_of(case, first) is None and not is_linux(case, first)
        # Nobody but Linux makes bzImages, whatever their payload.
        assert is_linux(case, second)
