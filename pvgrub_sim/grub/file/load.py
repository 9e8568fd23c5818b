"""Reading kernels, initrds and modules into memory, and handing them over (stubdom/grub/mini-os.c)."""

from __future__ import annotations

import struct

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_close, grub_open
from pvgrub_sim.grub.fs.read import grub_read, read_at_once
from pvgrub_sim.grub.machine import Handover, KernelType, Machine, ModuleArea, Place
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.grub.words import first_word, skip_to
from pvgrub_sim.model import EventKind, Outcome
from pvgrub_sim.typed import TYPE_CHECKING, NoReturn
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.large_pages import Growing

FIRST_BUFFER = 1 << 20
"""Bytes that load_file() asks for first; it doubles its buffer from there."""
LAST_BUFFER = 1 << 30
MOST_AT_ONCE = 64 << 20
"""Bytes of a file that is read in one piece; two of them have room in memory."""
LARGEST_BLOCK = 64 << 10
"""Bytes: no driver has larger blocks of which whole files are read at once."""
PAGE_SIZE = 4096
MODULE_ENTRY = struct.Struct("<IIII")
"""struct xen_multiboot_mod_list: first and last byte of a module, its command line, padding."""


class _Known(NamedTuple):
    """A file that was loaded: its place, None when it cannot be told, and its content."""

    place: Place | None
    data: bytes | memoryview | None


NOTHING = _Known(None, None)


def load_file(m: Machine, name: bytes, known: _Known = NOTHING) -> tuple[bytes | memoryview, Place | None]:
    """The whole of a file, unpacked by GRUB's gunzip, and its place; raises GrubError (load_file()).

    known: what is given up for it, which is the same file when its place is the same. Raises Stop(CRASH) when the
    domain's memory does not hold it.
    """
    grub_open(m, name)
    m.errnum = ErrNum.NONE
    place = _place(m, name)
    if place is not None and place == known.place and known.data is not None:
        data = known.data
        m.filepos = m.filemax
    else:
        data = _at_once(m) or _in_steps(m, name)
        if place is not None and m.compressed_file and not m.compressed_file.exhausted:
            # What stands behind the end of the packed data comes from files before.
            place = None
    grub_close(m)
    m.emit(EventKind.FILE, path=_text(first_word(name)), size=len(data))
    return data, place


def _place(m: Machine, name: bytes) -> Place | None:
    """Where the open file lies; None for one that may read otherwise the next time, or that is soon read again."""
    if m.filemax < FIRST_BUFFER or m.overlay or m.disk_read_hook:
        return None
    return m.current_drive, m.part_start, first_word(name).rpartition(b")")[2], m.no_decompression


def _at_once(m: Machine) -> bytes | None:
    """The open file in one read, which saves a copy; None where the steps in which PV-GRUB reads might matter."""
    size = m.filemax
    if m.compressed_file or m.filepos or not FIRST_BUFFER < size < MOST_AT_ONCE:
        return None
    last_step = size - (1 << size.bit_length() - 1)
    # A driver may read the last block by itself in another way.
    if 0 < last_step <= LARGEST_BLOCK or buffer_for(size) > _memory_left(m):
        return None
    data = read_at_once(m, size)
    if data is not None:
        m.budget.take(len(data))
    return data


def _in_steps(m: Machine, name: bytes) -> bytes | memoryview:
    """The open file as load_file() reads it, into a buffer that it doubles."""
    buffer: Growing | None = None
    filled, allocated = 0, FIRST_BUFFER
    left = _memory_left(m)
    while True:
        # In windows it comes to the same how much is unpacked at a time.
        step = min(allocated - filled, FIRST_BUFFER) if m.compressed_file else allocated - filled
        data = grub_read(m, step)
        if not data:
            if m.errnum:
                raise GrubError(m.errnum)
            break
        filled += len(data)
        m.budget.take(len(data))
        if len(data) < step:
            if buffer is None:
                return data
            buffer.append(data)
            break
        if buffer is None:
            # Most files come in one step.
            from pvgrub_sim.large_pages import Growing

            buffer = Growing(m.filemax)
        buffer.append(data)
        if filled == allocated:
            if allocated == LAST_BUFFER:
                # QUIRK: the doubled size is a negative int, so there is no new buffer to go on in.
                shown = _text(first_word(name))
                raise Stop(Outcome.CRASH, f"{shown} has 1 GiB or more, for which PV-GRUB gets no memory")
            allocated *= 2
        sure_size = m.filemax if m.compressed_file and m.compressed_file.ended else allocated - 1
        if buffer_for(sure_size) > left:
            # QUIRK: nobody looks whether realloc() gave any memory; what is read next goes to the first addresses,
            # where PV-GRUB itself lies.
            raise Stop(Outcome.CRASH, _too_large(m, name))
    return buffer.content() if buffer is not None else b""


def buffer_for(size: int) -> int:
    """Bytes that load_file() has allocated for a file of that size, in the end."""
    return max(FIRST_BUFFER, 1 << size.bit_length())


def _memory_left(m: Machine) -> int:
    """Bytes of the domain's memory that neither kernel nor modules take; what PV-GRUB itself takes is not known."""
    return (m.profile.memory << 20) - memory_held(m)


def memory_held(m: Machine) -> int:
    """Bytes of the domain's memory that the kernel's file and the initrd or modules take."""
    held = buffer_for(len(m.kernel_image)) if m.kernel_image else 0
    image = m.module_area.image
    if image:
        held += buffer_for(len(image)) if m.module_area.modules is None else len(image)
    return held


def _too_large(m: Machine, name: bytes) -> str:
    return f"{_text(first_word(name))} does not fit into the {m.profile.memory} MiB of memory that PV-GRUB's domain has"


def load_image(m: Machine, name: bytes) -> None:
    """`kernel`: read the file that the line begins with; the rest of the line is its command line (load_image())."""
    known = _Known(m.kernel_place, m.kernel_image)
    m.kernel_image = m.kernel_place = None
    image, m.kernel_place = load_file(m, name, known)
    m.kernel_image = image if isinstance(image, bytes) else bytes(image)
    m.kernel_arg = skip_to(name)
    m.kernel_path = _text(first_word(name))
    m.kernel_type = KernelType.PV


def load_initrd(m: Machine, name: bytes) -> None:
    """`initrd`: read a file in the place of any initrd or modules (load_initrd())."""
    image = m.module_area.image
    known = _Known(m.module_area.place, None if isinstance(image, bytearray) else image)
    m.module_area = ModuleArea()
    data, place = load_file(m, name, known)
    m.module_area = ModuleArea(data, _text(first_word(name)))
    m.module_area.place = place


def load_module(m: Machine, name: bytes) -> None:
    """`module`: pack a file behind those already packed, each with its command line in a page (load_module()).

    What an `initrd` loaded is dropped. Raises GrubError 28 for the 257th.
    """
    data = load_file(m, name)[0]
    area = m.module_area
    if not isinstance(area.image, bytearray) or area.modules is None:
        area.image, area.modules, area.path = bytearray(PAGE_SIZE), 0, _text(first_word(name))
        area.place = None
    if (area.modules + 1) * MODULE_ENTRY.size > PAGE_SIZE:
        m.fail(ErrNum.WONT_FIT)
    start = len(area.image)
    if len(data) > _memory_left(m) - buffer_for(len(data)):
        raise Stop(Outcome.CRASH, _too_large(m, name))
    if m.handover is not None and m.handover.module is area.image:
        # What was handed over stays as it was: a digest of it may still be computed.
        area.image = bytearray(area.image)
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
    module = area.image or b""
    if area.modules and area.modules * MODULE_ENTRY.size == PAGE_SIZE:
        # QUIRK: the entry that ends a list of 256 lies behind the page, in the first module's first four bytes.
        module = bytearray(module)
        module[PAGE_SIZE : PAGE_SIZE + 4] = bytes(4)
    assert m.kernel_image is not None
    m.handover = Handover(m.kernel_image, module, m.kernel_arg, area.modules is not None)
    m.initrd_path = area.path if module else None
    m.emit(EventKind.HANDOVER, path=m.kernel_path, size=len(m.kernel_image), entry=m.current_entryno)
    m.kexec(m, m.handover)
    m.booted_entry = m.current_entryno if m.in_entry else None
    raise Stop(Outcome.BOOTS)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
