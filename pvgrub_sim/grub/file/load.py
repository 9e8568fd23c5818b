"""Reading kernels, initrds and modules into memory, and handing them over (stubdom/grub/mini-os.c)."""

from __future__ import annotations

import struct
from typing import NoReturn

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.fs.base import ReadsWhole
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Handover, KernelType, Machine, ModuleArea
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import EventKind, Outcome

FIRST_BUFFER = 1 << 20
"""Bytes that load_file() asks for first; it doubles its buffer from there."""
LAST_BUFFER = 1 << 30
LARGEST_BLOCK = 64 << 10
"""Bytes: no driver has larger blocks where it offers read_whole()."""
PAGE_SIZE = 4096
MODULE_ENTRY = struct.Struct("<IIII")
"""struct xen_multiboot_mod_list: first and last byte of a module, its command line, padding."""


def load_file(m: Machine, name: bytes) -> bytes:
    """The whole of a file, unpacked by GRUB's gunzip; raises GrubError (load_file())."""
    grub_open(m, name)
    m.errnum = ErrNum.NONE
    data = _at_once(m) or _in_steps(m, name)
    grub_close(m)
    m.emit(EventKind.FILE, path=_text(first_word(name)), size=len(data))
    return data


def _at_once(m: Machine) -> bytes | None:
    """The open file in one read, which saves a copy; None where the steps in which PV-GRUB reads might matter."""
    size = m.filemax
    if m.compressed_file or m.block_list is not None or not FIRST_BUFFER < size < LAST_BUFFER:
        return None
    last_step = size - (1 << size.bit_length() - 1)
    driver: object = m.fsys
    # A driver may read the last block by itself in another way.
    if 0 < last_step <= LARGEST_BLOCK or not isinstance(driver, ReadsWhole):
        return None
    return driver.read_whole()


def _in_steps(m: Machine, name: bytes) -> bytes:
    """The open file as load_file() reads it, into a buffer that it doubles."""
    parts: list[bytes] = []
    filled, allocated = 0, FIRST_BUFFER
    while True:
        data = grub_read(m, allocated - filled)
        if not data:
            if m.errnum:
                raise GrubError(m.errnum)
            break
        parts.append(data)
        filled += len(data)
        if filled < allocated:
            break
        if allocated == LAST_BUFFER:
            # QUIRK: the doubled size is a negative int, so there is no new buffer to go on in.
            raise Stop(Outcome.CRASH, f"{_text(first_word(name))} has 1 GiB or more, for which PV-GRUB gets no memory")
        allocated *= 2
    return parts[0] if len(parts) == 1 else b"".join(parts)


def load_image(m: Machine, name: bytes) -> None:
    """`kernel`: read the file that the line begins with; the rest of the line is its command line (load_image())."""
    m.kernel_image = None
    m.kernel_image = load_file(m, name)
    m.kernel_arg = skip_to(name)
    m.kernel_path = _text(first_word(name))
    m.kernel_type = KernelType.PV


def load_initrd(m: Machine, name: bytes) -> None:
    """`initrd`: read a file in the place of any initrd or modules (load_initrd())."""
    m.module_area = ModuleArea()
    m.module_area = ModuleArea(load_file(m, name), _text(first_word(name)))


def load_module(m: Machine, name: bytes) -> None:
    """`module`: pack a file behind those already packed, each with its command line in a page (load_module()).

    What an `initrd` loaded is dropped. Raises GrubError 28 for the 257th.
    """
    data = load_file(m, name)
    area = m.module_area
    if not isinstance(area.image, bytearray) or area.modules is None:
        area.image, area.modules, area.path = bytearray(PAGE_SIZE), 0, _text(first_word(name))
    if (area.modules + 1) * MODULE_ENTRY.size > PAGE_SIZE:
        m.fail(ErrNum.WONT_FIT)
    start = len(area.image)
    area.image += data
    area.image += bytes(-len(data) % PAGE_SIZE)
    cmdline = len(area.image)
    area.image += name.ljust(PAGE_SIZE, b"\0")
    last = (start + len(data) - 1) & 0xFFFFFFFF
    MODULE_ENTRY.pack_into(area.image, area.modules * MODULE_ENTRY.size, start, last, cmdline, 0)
    area.modules += 1


def pv_boot(m: Machine) -> NoReturn:
    """`boot`: hand everything to the kernel loader; raises Stop when it takes the kernel, GrubError when not."""
    area = m.module_area
    module = bytes(area.image or b"")
    if area.modules and area.modules * MODULE_ENTRY.size == PAGE_SIZE:
        # QUIRK: the entry that ends a list of 256 lies behind the page, in the first module's first four bytes.
        module = module[:PAGE_SIZE] + bytes(4) + module[PAGE_SIZE + 4 :]
    assert m.kernel_image is not None
    m.handover = Handover(m.kernel_image, module, m.kernel_arg, area.modules is not None)
    m.initrd_path = area.path if module else None
    m.emit(EventKind.HANDOVER, path=m.kernel_path, size=len(m.kernel_image), entry=m.current_entryno)
    m.kexec(m, m.handover)
    m.booted_entry = m.current_entryno if m.in_entry else None
    raise Stop(Outcome.BOOTS)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
