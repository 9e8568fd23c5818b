"""What a scan is made of: targets and jobs on the way in, results on the way out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pvgrub_sim.errors import UsageError
from pvgrub_sim.media.access import Access
from pvgrub_sim.typed import TYPE_CHECKING
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.model import Verdict


class ScanState(StrEnum):
    """What came of looking at an image."""

    VERDICT = "verdict"
    """PV-GRUB was simulated: there is an outcome."""
    UNREADABLE = "unreadable"
    """The image cannot be opened or read, or the request makes no sense for it."""
    KILLED = "killed"
    """It killed its worker twice: too slow, too large, or the worker crashed."""
    NO_IMAGE = "no image"
    """A file of a folder in which there is neither a partition table nor a filesystem."""


class Target(NamedTuple):
    """An image to look at.

    source: what boot() is given. name: what to call it in reports and to compare scans by: the path below the folder
    that was named. origin: the word by which it was named. fingerprint: what changes when the image does; empty where
    nothing is known. region: of an AMI or bucket. sniff: it was found in a folder, and may be no
    image at all. problem: why it cannot be looked at, in words.
    """

    source: str
    name: str
    origin: str
    fingerprint: str = ""
    region: str = ""
    sniff: bool = False
    problem: str = ""


class Job(NamedTuple):
    """One look at an image. version: a PV-GRUB version, an AKI, or `auto`. Other fields as those of Target."""

    source: str
    version: str
    region: str = ""
    sniff: bool = False


class ScanSettings(NamedTuple):
    """How images are looked at.

    timeout: seconds for one image and version. memory: MiB of address space of a worker. findings, unpack, config,
    device, arch, instance_type, image_format: as for boot(). allow_backing, spool_limit, cache, key: as those of an
    Access.
    """

    timeout: float = 60.0
    memory: int = 3072
    findings: bool = True
    unpack: bool = True
    config: str | None = None
    device: str | None = None
    arch: str = "auto"
    instance_type: str | None = None
    image_format: str = "auto"
    allow_backing: tuple[str, ...] = ()
    spool_limit: int | None = None
    cache: str | None = None
    key: str | None = None

    def access(self, region: str) -> Access:
        """How an image is reached. region: of Amazon's, or empty."""
        # What has passed as JSON has lists in it.
        folders = tuple(self.allow_backing)
        return Access(folders, self.spool_limit, None, self.cache, region or None, self.key)

    @property
    def anywhere(self) -> ScanSettings:
        """The same for a process in another folder."""
        folders = tuple(os.path.abspath(folder) for folder in self.allow_backing)  # noqa: PTH100  (keeps links in it)
        cache, key = (
            None if name is None else os.path.abspath(name)  # noqa: PTH100  (as above)
            for name in (self.cache, self.key)
        )
        return self._replace(allow_backing=folders, cache=cache, key=key)

    @property
    def decisive(self) -> str:
        """Those that a verdict depends on, in one line."""
        words = [] if self.findings else ["no findings"]
        words += [] if self.unpack else ["no unpack"]
        names = ("config", "device", "instance_type", "spool_limit", "key")
        words += [f"{name} {value}" for name in names if (value := getattr(self, name)) is not None]
        words += [f"allow_backing {folder}" for folder in self.allow_backing]
        automatic = {"arch": self.arch, "image_format": self.image_format}
        return ", ".join(words + [f"{name} {value}" for name, value in automatic.items() if value != "auto"])


class Look(NamedTuple):
    """What a worker saw: the facts that reports count, and the verdict as JSON text.

    error: why there is no verdict. profile: the version of PV-GRUB that was simulated. rules: id and severity of the
    findings. headline: the verdict in one sentence. tool: the version of pvgrub-sim.
    """

    state: ScanState
    tool: str
    seconds: float = 0.0
    error: str = ""
    outcome: str = ""
    boots_default: bool = False
    entry: int | None = None
    profile: str = ""
    arch: str = ""
    aki: str = ""
    rules: tuple[tuple[str, str], ...] = ()
    kernel: str = ""
    payload: str = ""
    headline: str = ""
    verdict: str = ""


class ScanResult(NamedTuple):
    """What a scan knows of one image under one version of PV-GRUB.

    source: the image. version: as it was asked for: `amazon-1.05`, an AKI, or `auto`. name: to compare scans by, and
    origin: the word by which it was named. fingerprint: size and time of change, ETag, or snapshot. state: what came
    of it; error: why there is no verdict. outcome, boots_default, entry: as those of a Verdict. profile, arch, aki:
    the PV-GRUB that was simulated. rules: the severity of each finding, by rule. kernel, payload: the version of the
    kernel handed over, and how it is packed. headline: the verdict in one sentence. seconds: that it took. tool: the
    version of pvgrub-sim. verdict_json: the whole verdict as docs/json.md has it, or empty.
    """

    source: str
    version: str
    name: str
    origin: str
    fingerprint: str
    region: str
    state: ScanState
    error: str
    outcome: str
    boots_default: bool
    entry: int | None
    profile: str
    arch: str
    aki: str
    rules: Mapping[str, str]
    kernel: str
    payload: str
    headline: str
    seconds: float
    tool: str
    verdict_json: str

    @property
    def status(self) -> str:
        """One word: `boots`, `fallback`, `down`, `unreadable`, `killed` or `no image`."""
        if self.state is not ScanState.VERDICT:
            return str(self.state)
        if self.outcome != "boots":
            return "down"
        return "boots" if self.boots_default else "fallback"

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, None where there is none; raises UsageError when what was kept makes none."""
        if not self.verdict_json:
            return None
        from pvgrub_sim.report.json_reader import parse

        try:
            return parse(self.verdict_json)
        except ValueError as error:
            raise UsageError(f"the verdict that was kept of {self.name} is damaged: {error}") from None


STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "boots": "boots",
        "fallback": "boots only by fallback",
        "down": "does not come up",
        "unreadable": "cannot be read",
        "killed": "killed its worker",
    }
)
"""The words of ScanResult.status that reports count, best first, with what they mean."""


class ScanProgress(NamedTuple):
    """How far a scan is: looks that are done, that are to be done in all, and that were not needed.

    failing: done, and the default entry does not boot. per_second: of late. seconds_left: None while it is not known.
    workers: what each of them is at, in words.
    """

    done: int
    total: int
    unchanged: int
    failing: int
    per_second: float
    seconds_left: float | None
    workers: tuple[str, ...] = ()


class ScanSummary(NamedTuple):
    """What a scan came to. images: targets. looked, unchanged: looks that were done and that were not needed.

    statuses: how many of all looks have which ScanResult.status. finished: False when it was stopped.
    """

    images: int
    looked: int
    unchanged: int
    statuses: Mapping[str, int]
    seconds: float
    finished: bool
