"""A filesystem in memory, so that menus and commands are tested without any driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import pytest

from pvgrub_sim.grub.console.backend import ConsoleBackend
from pvgrub_sim.grub.console.terminal import Terminal
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_contents
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import Handover, Machine
from pvgrub_sim.grub.stage2 import cmain
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.profiles import find_profile
from tests.grub.machine_factory import BytesDisk

MENU = "/boot/grub/menu.lst"
CONFIG = "(hd0)" + MENU
GOOD_KERNEL = b"good kernel"
FIRST_SECTOR = 100
BLOCK_SIZE = 1024


class MemoryFs:
    """Mounts every disk and partition of type 0x83; the files lie one behind another from its sector 100 on."""

    name: ClassVar[str] = "memfs"
    files: ClassVar[dict[bytes, bytes]] = {}
    unreadable_from: ClassVar[dict[bytes, int]] = {}
    """Offsets in bytes from which reading a file fails with Error 16."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._path = b""
        self._sector = 0

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        devread(m, 0, 0, SECTOR_SIZE)
        return cls(m) if m.current_slice in (0, 0x83) else None

    def open(self, path: bytes) -> None:
        name = path.split(b"\0")[0].split(b" ")[0]
        if name not in self.files:
            self.m.fail(ErrNum.FILE_NOT_FOUND)
        sector = FIRST_SECTOR
        for other, data in self.files.items():
            if other == name:
                break
            sector += -(-len(data) // BLOCK_SIZE) * (BLOCK_SIZE // SECTOR_SIZE)
        self._path, self._sector = name, sector
        self.m.filemax = len(self.files[name])

    def read(self, length: int) -> bytes:
        m = self.m
        if m.errnum:
            raise GrubError(m.errnum)
        if m.filepos + length > self.unreadable_from.get(self._path, m.filemax):
            m.fail(ErrNum.FSYS_CORRUPT)
        data = devread_contents(m, self._sector + m.filepos // SECTOR_SIZE, m.filepos % SECTOR_SIZE, length, BLOCK_SIZE)
        m.filepos += length
        return data

    def list(self, path: bytes) -> Iterator[bytes]:
        folder, _, beginning = path.rpartition(b"/")
        inside = {name[len(folder) + 1 :].split(b"/")[0] for name in self.files if name.startswith(folder + b"/")}
        if not inside:
            self.m.fail(ErrNum.FILE_NOT_FOUND)
        yield from sorted(name for name in inside if name.startswith(beginning))


def disk_of(files: dict[bytes, bytes]) -> BytesDisk:
    """A disk with the files where MemoryFs says they are."""
    content = bytearray(FIRST_SECTOR * SECTOR_SIZE)
    for data in files.values():
        content += data + bytes(-len(data) % BLOCK_SIZE)
    return BytesDisk(bytes(content + bytes(64 * SECTOR_SIZE)))


class Runner:
    """Boots menus: takes files by name, keeps the machine and how the run ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.m: Machine
        self.outcome: Outcome
        self.reason = ""
        monkeypatch.setattr("pvgrub_sim.grub.file.open.fsys_table", lambda profile: iter([MemoryFs]))

    def run(
        self,
        menu: str | bytes,
        files: dict[str, bytes] | None = None,
        *,
        config: str = CONFIG,
        arch: str = "x86_64",
        keyboard: ConsoleBackend | None = None,
        unreadable_from: int | None = None,
        disks: int = 1,
    ) -> Machine:
        """Run PV-GRUB on a disk with this menu.lst and these files beside a good and a bad kernel."""
        content = {
            MENU: menu.encode() if isinstance(menu, str) else menu,
            "/k": GOOD_KERNEL,
            "/bad": b"no kernel",
            "/i": b"initrd",
            **(files or {}),
        }
        given = {name.encode(): data for name, data in content.items()}
        self._monkeypatch.setattr(MemoryFs, "files", given)
        limits = {} if unreadable_from is None else {MENU.encode(): unreadable_from}
        self._monkeypatch.setattr(MemoryFs, "unreadable_from", limits)
        profile = find_profile("xen-4.17", arch)._replace(config_paths=(config,))
        self.m = Machine(profile, [disk_of(given) for _ in range(disks)], Terminal(keyboard), _load_kernel)
        try:
            cmain(self.m)
        except Stop as stop:
            self.outcome, self.reason = stop.outcome, stop.reason
        return self.m

    @property
    def console(self) -> str:
        """What was printed from the first entry on."""
        return self.m.term.console()

    @property
    def errors(self) -> list[tuple[int | None, int]]:
        """Entry and number of each error printed."""
        return [(error.entry, error.number) for error in self.m.boot_errors]


def _load_kernel(m: Machine, handover: Handover) -> None:
    if handover.kernel != GOOD_KERNEL:
        m.fail(ErrNum.BOOT_FAILURE)


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Boots menus in memory."""
    return Runner(monkeypatch)
