"""What a store says as a whole: how many boot, with which PV-GRUB, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pvgrub_sim.fleet.values import STATUSES, ScanResult, ScanState
from pvgrub_sim.values import NamedTuple

SEVERITIES = ("error", "warning", "note")
UNKNOWN = "not known"


class VersionRow(NamedTuple):
    """How images fare with one PV-GRUB: by status, and against the first version.

    gained: the default entry boots here and not there. lost: the other way round.
    """

    version: str
    statuses: Mapping[str, int]
    gained: int = 0
    lost: int = 0


class RuleRow(NamedTuple):
    """A rule, its gravest severity, and how many images it speaks of."""

    rule: str
    severity: str
    images: int


class FleetSummary(NamedTuple):
    """A store in numbers; counts are of looks (an image and a version each), most first.

    images: those that are images. no_images: files of folders that are none. regions: statuses by region, where any
    is known. kernels, payloads: of what was handed over. seconds: of all looks.
    """

    images: int
    looks: int
    no_images: int
    statuses: Mapping[str, int]
    outcomes: Mapping[str, int]
    versions: tuple[VersionRow, ...]
    rules: tuple[RuleRow, ...]
    kernels: Mapping[str, int]
    payloads: Mapping[str, int]
    regions: Mapping[str, Mapping[str, int]]
    seconds: float


class _Tally:
    """Counts that grow result by result; of images only what comparing versions needs is kept."""

    def __init__(self) -> None:
        self.images = self.looks = self.no_images = 0
        self.seconds = 0.0
        self.statuses: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()
        self.payloads: Counter[str] = Counter()
        self.versions: dict[str, Counter[str]] = {}
        self.regions: dict[str, Counter[str]] = {}
        self.rules: dict[str, tuple[str, set[int]]] = {}
        self.boots: dict[str, set[int]] = {}
        self._last = ""

    def add(self, result: ScanResult) -> None:
        """Count a result; results of one image come one after the other."""
        if result.state is ScanState.NO_IMAGE:
            self.no_images += result.source != self._last
            self._last = result.source
            return
        if result.source != self._last:
            self._last = result.source
            self.images += 1
        status = result.status
        self.looks += 1
        self.seconds += result.seconds
        self.statuses[status] += 1
        self.outcomes[result.outcome or status] += 1
        self.versions.setdefault(result.version, Counter())[status] += 1
        self.boots.setdefault(result.version, set())
        if status == "boots":
            self.boots[result.version].add(self.images)
        if result.region:
            self.regions.setdefault(result.region, Counter())[status] += 1
        if result.kernel or result.payload:
            self.kernels[result.kernel.split(" ", 1)[0] or UNKNOWN] += 1
            self.payloads[result.payload or UNKNOWN] += 1
        for rule, severity in result.rules.items():
            worst, images = self.rules.get(rule, (severity, set()))
            worst = min(worst, severity, key=_gravity)
            images.add(self.images)
            self.rules[rule] = (worst, images)


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def summarise(results: Iterable[ScanResult]) -> FleetSummary:
    """The numbers of some results, those of one image one after the other."""
    tally = _Tally()
    for result in results:
        tally.add(result)
    rules = [RuleRow(rule, worst, len(images)) for rule, (worst, images) in tally.rules.items()]
    return FleetSummary(
        images=tally.images,
        looks=tally.looks,
        no_images=tally.no_images,
        statuses={word: tally.statuses[word] for word in STATUSES if tally.statuses[word]},
        outcomes=_most_first(tally.outcomes),
        versions=_versions(tally),
        rules=tuple(sorted(rules, key=lambda row: (_gravity(row.severity), -row.images, row.rule))),
        kernels=_most_first(tally.kernels),
        payloads=_most_first(tally.payloads),
        regions={name: dict(tally.regions[name]) for name in sorted(tally.regions)},
        seconds=tally.seconds,
    )


def _versions(tally: _Tally) -> tuple[VersionRow, ...]:
    """Amazon's before Xen's, each in the order of their release, what is no version behind them."""
    from pvgrub_sim.profiles import PROFILES

    known = list(PROFILES)
    order = sorted(tally.versions, key=lambda name: (known.index(name) if name in known else len(known), name))
    first = tally.boots[order[0]] if order else set()
    return tuple(
        VersionRow(name, dict(tally.versions[name]), len(tally.boots[name] - first), len(first - tally.boots[name]))
        for name in order
    )


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
