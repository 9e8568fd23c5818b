"""How much memory the entry that runs takes at three times: while files are read, at the handover, and in Linux."""

from __future__ import annotations

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.grub.file.load import buffer_for
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.footprint import Footprint, footprint

_MIB: Final = 1 << 20


class Needs(NamedTuple):
    """What something takes. what: in words. total: bytes at the least. where: the file. shares: what it is made of."""

    what: str
    total: int
    where: Where
    shares: str


def while_loading(case: Case) -> Needs | None:
    """The files of the entry that runs by itself, as load_file() keeps them."""
    entry = case.booted or (case.menu.entry(case.default) if case.menu else None)
    # A line takes the place of another of its kind.
    files = {ref.role: ref for ref in case.files("kernel", "initrd") if ref.entry is entry}
    # Another rule speaks of a file whose size PV-GRUB cannot count.
    if not files or any(ref.seen.error or ref.seen.size < 0 for ref in files.values()):
        return None
    sizes = {ref.path: buffer_for(ref.seen.size) for ref in files.values()}
    largest = max(files.values(), key=lambda ref: ref.seen.size)
    return Needs(f"Reading {' and '.join(sizes)}", sum(sizes.values()), largest.where(), _shares(sizes))


def at_handover(case: Case) -> Needs | None:
    """What the kernel that was handed over is built in."""
    taken = _footprint(case)
    if taken is None or case.booted is None:
        return None
    kernel = case.boot.machine.kernel_path or "the kernel"
    shares = {
        "the files": taken.files,
        "the kernel unpacked": taken.unpacked,
        "its memory": taken.kernel,
        "the initrd's": taken.module,
        "lists of pages": taken.tables,
    }
    return Needs(f"Handing over {kernel}", taken.total, case.at(case.booted.title), _shares(shares))


def after_handover(case: Case) -> Needs | None:
    """The kernel, its initrd, and what Linux unpacks of that beside it."""
    from pvgrub_sim.findings.facts.initrds import contents_of
    from pvgrub_sim.findings.facts.starts import the_start

    taken, start = _footprint(case), the_start(case)
    if taken is None or start is None or start.initrd is None:
        return None
    contents = contents_of(case, start.initrd)
    if contents is None or not contents.known:
        return None
    unpacked = sum(segment.unpacked for segment in contents.segments)
    shares = {"the kernel": taken.kernel, "the initrd": taken.module, "what is unpacked of it": unpacked}
    return Needs(
        f"Unpacking the initrd {start.initrd.path}", sum(shares.values()), start.initrd.where(), _shares(shares)
    )


def _footprint(case: Case) -> Footprint | None:
    kernel, handed = case.boot.kernel, case.boot.handed_over
    if kernel is None or handed is None:
        return None
    return footprint(kernel, case.boot.files_held, handed.module_size, case.profile)


def _shares(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {-(-size // _MIB)} MiB" for name, size in sizes.items() if size)
