"""Frozen values shared by every layer: what a boot is made of and what is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pvgrub_sim.typed import Any, Literal
from pvgrub_sim.values import NamedTuple


class Outcome(StrEnum):
    """How PV-GRUB's run with an image ends."""

    BOOTS = "boots"
    """A kernel was accepted and handed over."""
    FAILS = "fails"
    """An entry failed and PV-GRUB waits at "Press any key"."""
    PROMPT = "prompt"
    """No usable menu: the grubdom> prompt."""
    MENU = "menu"
    """PV-GRUB waits in the menu for a person."""
    EDIT = "edit"
    """The line editor of an entry, `grubdom edit>`, waits for a person."""
    PAGER = "pager"
    """"[Hit return to continue]" waits for a person."""
    WAITS = "waits"
    """A key or a password is wanted inside an entry, or the menu's password."""
    HALT = "halt"
    REBOOT = "reboot"
    HANG = "hang"
    """PV-GRUB itself would never end."""
    CRASH = "crash"
    """PV-GRUB itself would die."""
    TIMEOUT = "timeout"
    """There is no answer: the time that was given for it ran out before the run came to its end."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst, so that findings can be sorted by it."""
        return list(Severity).index(self)


class EventKind(StrEnum):
    """What happened, step by step."""

    CONFIG = "config"
    """A config file was opened (path)."""
    ENTRY = "entry"
    """An entry was tried (entry, title in text)."""
    COMMAND = "command"
    """A command of an entry ran (text: the line)."""
    FILE = "file"
    """A file was opened (path, size)."""
    ERROR = "error"
    """An error was printed (number, text)."""
    FALLBACK = "fallback"
    """A fallback entry was chosen (entry)."""
    KEY = "key"
    """PV-GRUB waits for a key (text: why)."""
    WRITE = "write"
    """PV-GRUB would have written a sector (number: the sector of 512 bytes; path: the drive)."""
    HANDOVER = "handover"
    """The kernel was handed to the loader (path, size)."""


class Event(NamedTuple):
    """One step of a run; fields that do not apply to its kind are None. An entry is one of a menu: both go together."""

    kind: EventKind
    text: str = ""
    entry: int | None = None
    number: int | None = None
    path: str | None = None
    size: int | None = None
    menu: str | None = None
    """The config file that `entry` is one of."""


class BootError(NamedTuple):
    """An error that PV-GRUB printed: the entry's index, GRUB's error number and words, and the command line."""

    entry: int | None
    number: int
    message: str
    command: str
    detail: str = ""
    """What the kernel loader had against the kernel, where it was that; else empty."""
    menu: str | None = None
    """The config file that the entry is one of."""


class LoadedFile(NamedTuple):
    """A file as handed to the kernel loader, after GRUB's own gunzip: size in bytes and checksums of those bytes."""

    path: str
    size: int
    crc32: int
    detail: Mapping[str, Any] = MappingProxyType({})
    """What the loader found out (payload, guest_type, …); only for kernels."""
    sha256: str = ""
    """In hexadecimal digits; empty in a Session, whose files nobody wants to identify."""


class Finding(NamedTuple):
    """What a rule has to say about an image."""

    rule: str
    severity: Severity
    message: str
    remedy: str = ""
    where: str = ""
    evidence: str = ""


class IgnoredFinding(NamedTuple):
    """A finding that somebody does not want to count, and why, in their words (empty when they gave none)."""

    finding: Finding
    reason: str = ""


class DeviceEntry(NamedTuple):
    """A device of an image as PV-GRUB names it.

    name: `(hd0)` for the whole disk, `(hd0,0)` for its first partition. start, length: in bytes. filesystem: the driver
    of PV-GRUB that mounts it, or empty when none does.
    """

    name: str
    start: int
    length: int
    filesystem: str = ""


class PlanStep(NamedTuple):
    """A step of a plan.

    rules: the findings that want it. why: what they say. kind: `edit` (a menu), `write` (a file or boot disk), `link`,
    `run` (a tool on the image) or `repack` (a kernel). what: what is done, in words. target: the file, volume or disk.
    known_by: `run` when PV-GRUB was run on what the step comes to, else `to be run`.
    """

    rules: tuple[str, ...]
    why: str
    kind: str
    what: str
    target: str
    known_by: str


class Plan(NamedTuple):
    """All that is to be done to an image, in an order that works.

    proven: with these steps the default entry boots, as PV-GRUB was run on the image as it will be. steps: in their
    order. script: the same for a shell, to be pasted at once. unmended: what is wrong and no step mends, with its rule.
    """

    proven: bool
    steps: tuple[PlanStep, ...]
    script: str
    unmended: tuple[str, ...] = ()


class LayoutPart(NamedTuple):
    """One stretch of a disk, for a picture of its layout: offset and length in bytes.

    name: GRUB's name of it (`(hd0)`, `(hd0,1)`), or empty for space that no partition has. kind: `disk` for the
    whole disk (once a disk, first of its parts), `table`, `partition`, `extended`, `lvm`, `swap`, `raid`, `crypt` or
    `free`. label: what is there, in words for people ("ext4 LABEL=/, type 0x83").
    """

    name: str
    start: int
    length: int
    kind: str
    label: str = ""


class ProfileInfo(NamedTuple):
    """Which PV-GRUB was simulated."""

    name: str
    arch: str
    aki: str | None = None
    device: str | None = None


class Verdict(NamedTuple):
    """The whole answer for one image: the JSON report is this, field by field."""

    image: str
    profile: ProfileInfo
    outcome: Outcome
    entry: int | None
    default_entry: int | None
    config: str | None
    errors: tuple[BootError, ...]
    kernel: LoadedFile | None
    initrd: LoadedFile | None
    cmdline: str | None
    console: str
    writes: tuple[int, ...] = ()
    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why PV-GRUB hangs, crashes or waits, in words; else empty."""
    layout: tuple[LayoutPart, ...] = ()
    """What lies where on the disks; empty when nobody looked."""
    plan: Plan | None = None
    """What is to be done; None when there is nothing to mend, or nobody looked."""
    transcript: bytes = b""
    """Every byte that PV-GRUB puts on the Xen console, from `vbd … is hd0` on; not part of the JSON report."""
    attended: bool = False
    """Somebody was at the console and may have pressed keys; findings are about the image as it boots by itself."""
    ignored: tuple[IgnoredFinding, ...] = ()
    """Findings that do not count, as the caller wished: they are in no plan."""

    @property
    def boots_default(self) -> bool:
        """True when the default entry itself boots, or the menu does to which it leads with `configfile`.

        An error always ends its entry, so what boots without one was no fallback; entries of another menu have
        numbers of their own, which says nothing about that. With somebody at the console: True when no entry failed.
        """
        return self.outcome is Outcome.BOOTS and not any(error.entry is not None for error in self.errors)


class DirectoryEntry(NamedTuple):
    """One name in a directory.

    name: bytes that are not UTF-8 are kept as surrogates (`surrogateescape`). kind: `unknown` where nobody looked, or
    where looking failed. size: in bytes, None for what has none. target: where a link leads; PV-GRUB follows links and
    tells of none. error: why the entry cannot be opened, in words, or empty.
    """

    name: str
    kind: Literal["file", "directory", "link", "other", "unknown"] = "unknown"
    size: int | None = None
    target: str | None = None
    error: str = ""


class FixStep(NamedTuple):
    """A step of a plan that was carried out on a copy, or could not be.

    rules, why, what: as of PlanStep. commands: the tools that were run. result: what was written and what kept, or why
    it did not work. ok: it worked.
    """

    rules: tuple[str, ...]
    why: str
    what: str
    commands: tuple[str, ...]
    result: str
    ok: bool


class FixedDisk(NamedTuple):
    """A disk of the guest as which a mended image was booted.

    device: as which it was attached. image: what to call it. origin: `image`, the mended image itself; `boot disk`,
    which was made for it; `machine`, another disk of the machine that the image is the first of; `option`, one that
    the caller named. Of these only the first two are written.
    """

    device: str
    image: str
    origin: str


class FixedImage(NamedTuple):
    """What came of mending an image.

    input: the image. output: what was written: the mended image, and the boot disk that belongs to it, where there is
    one; empty when nothing was. mended: the default entry boots now. before, after: the verdicts on the image and on
    what was made of it. unwrapped: the image was of another format, and what was made of it is raw.
    disks: of the guest as which what came out was booted, the first one first. config: the config file that PV-GRUB
    was given, by the caller or by the machine that the image is the first disk of, or None.
    """

    input: str
    output: tuple[str, ...]
    mended: bool
    before: Verdict
    steps: tuple[FixStep, ...]
    after: Verdict
    unwrapped: bool = False
    disks: tuple[FixedDisk, ...] = ()
    config: str | None = None
