"""Somebody at PV-GRUB's console: a program that types key by key, or a person at a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from pvgrub_sim.bootchain import Boot, run, run_auto
from pvgrub_sim.errors import UsageError
from pvgrub_sim.keys import LONGEST_WAIT, Key, TypedKeys, key_named
from pvgrub_sim.model import Outcome, Verdict
from pvgrub_sim.request import Request, read_request
from pvgrub_sim.verdict import judge
from pvgrub_sim.xen.memory import LoaderMemory

if TYPE_CHECKING:
    from pvgrub_sim.grub.console.backend import ConsoleBackend
    from pvgrub_sim.media import Access, Disk
    from pvgrub_sim.profiles.ami import AmiDescription

COLUMNS, LINES = 80, 24


class MachineOptions(TypedDict, total=False):
    """Arguments of boot() that say which PV-GRUB runs, in what domain, on which disks."""

    disks: Mapping[str, str | os.PathLike[str] | Disk] | None
    device: str | None
    aki: str | None
    pvgrub: str | None
    arch: str
    config: str | None
    ami: AmiDescription | str | os.PathLike[str] | None
    image_format: str
    access: Access | None
    memory: int | None
    ami_id: str | None
    instance_type: str | None


DEFAULTS: MachineOptions = {
    "disks": None, "device": None, "aki": None, "pvgrub": None, "arch": "auto", "config": None, "ami": None,
    "image_format": "auto", "access": None, "memory": None, "ami_id": None,
    "instance_type": None,
}  # fmt: skip


def _request(image: str | os.PathLike[str] | Disk, stack: ExitStack, options: MachineOptions) -> Request:
    whole: MachineOptions = {**DEFAULTS, **options}
    return read_request(image, stack, **whole)


def _seconds(value: float) -> float:
    if not 0 <= value <= LONGEST_WAIT:
        raise UsageError(f"0 to {LONGEST_WAIT} seconds may pass, not {value}")
    return value


class Session:
    """PV-GRUB's console with somebody who types on a clock of its own: for tests of a menu, its look, its password.

    Keys are pressed one after another, each as soon as PV-GRUB waits for one. Time passes only in wait(). The image
    stays open until close(), or to the end of a `with` block.
    """

    def __init__(self, image: str | os.PathLike[str] | Disk, **options: Unpack[MachineOptions]) -> None:
        """image, options: as for boot(). Raises UsageError and ImageError."""
        self._stack = ExitStack()
        self._image = _request(image, self._stack, options)
        self._keys: list[Key] = []
        self._memory = LoaderMemory()
        self._played: dict[bool, Boot] = {}

    def send(self, *keys: str, after: float | None = None) -> None:
        """Press keys: `down`, `enter`, `ctrl-c` and the other names of key files, `text:abc`, `hex:1b5b41`.

        Each is pressed when PV-GRUB is idle; all of a `text:` comes in one burst. after: the first one is pressed so
        many seconds after the last key was taken, or after the start, idle or not. Raises UsageError.
        """
        pressed = [Key(key_named(key)) for key in keys]
        if pressed and after is not None:
            pressed[0] = pressed[0]._replace(after=_seconds(after))
        self._type(pressed)

    def wait(self, seconds: float) -> None:
        """Let a timeout run: seconds since the last key was taken, or since the start."""
        self._type([Key(b"", _seconds(seconds))])

    def _type(self, keys: list[Key]) -> None:
        self._keys += keys
        self._played.clear()

    def _play(self, *, frozen: bool) -> Boot:
        """The run with all keys so far, from the start: it takes milliseconds, and is the same every time."""
        if frozen not in self._played:
            run_it = run_auto if self._image.any_arch else run
            self._played[frozen] = run_it(
                self._image.disks,
                self._image.profile,
                memory=self._memory,
                console=lambda: TypedKeys(self._keys, frozen=frozen),
                digests=not frozen,
            )
        return self._played[frozen]

    @property
    def transcript(self) -> bytes:
        """Every byte on the Xen console so far."""
        return self._play(frozen=True).machine.term.raw()

    def screen(self) -> str:
        """What a terminal of 80 columns and 24 lines shows now, as text: 24 lines of 80 characters.

        Needs pyte, which the extra `console` installs; raises UsageError without it.
        """
        try:
            import pyte
        except ImportError:
            raise UsageError("screen() needs pyte: pip install 'pvgrub-sim[console]'") from None
        screen = pyte.Screen(COLUMNS, LINES)
        pyte.ByteStream(screen).feed(self.transcript)
        return "\n".join(screen.display)

    @property
    def verdict(self) -> Verdict:
        """How it ends when nothing more is typed, without findings; a timeout runs out."""
        verdict = judge(self._play(frozen=False), self._image.disks[0].disk.name)
        return verdict._replace(attended=True)

    @property
    def outcome(self) -> Outcome:
        """The verdict's outcome."""
        return self.verdict.outcome

    def close(self) -> None:
        """Close the image."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def interact(
    image: str | os.PathLike[str] | Disk,
    keyboard: int,
    show: Callable[[bytes], None],
    *,
    wake: Callable[[], None] | None = None,
    wake_fd: int | None = None,
    **options: Unpack[MachineOptions],
) -> Verdict:
    """PV-GRUB's console live: keys as they are pressed, timeouts in real time; returns when PV-GRUB or its user ends.

    image, options: as for boot(); with arch `auto` the build is that of the kernel which boots by itself. keyboard: a
    file descriptor that what is typed is read from; its end, or Ctrl-], leaves PV-GRUB where it is. show: takes what
    is printed, as it goes out on the Xen console: bytes of the image that steer a terminal are in there. wake, wake_fd:
    called when there is something to read from that file descriptor (see signal.set_wakeup_fd). The verdict has no
    findings. Raises UsageError and ImageError.
    """
    from pvgrub_sim.live import LiveConsole

    with ExitStack() as stack:
        request = _request(image, stack, options)
        memory = LoaderMemory()
        profile = request.profile
        if request.any_arch:
            profile = run_auto(request.disks, profile, memory=memory).profile

        def console() -> ConsoleBackend:
            return LiveConsole(keyboard, show, wake, wake_fd)

        result = run(request.disks, profile, memory=memory, console=console, digests=True)
        return judge(result, request.disks[0].disk.name)._replace(attended=True)
