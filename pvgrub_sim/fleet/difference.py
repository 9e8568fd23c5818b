"""Two scans compared: what boots no longer, what boots now, what is newly found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pvgrub_sim.fleet.values import STATUSES, ScanResult, ScanState
from pvgrub_sim.values import NamedTuple

_RANK = {status: rank for rank, status in enumerate(STATUSES)}


class ScanChange(NamedTuple):
    """An image and version that fares otherwise than before.

    name: of the image, below the folder that was scanned. version: of PV-GRUB. before, after: ScanResult.status.
    headline: what is said of it now. new_findings, gone_findings: rules.
    """

    name: str
    version: str
    before: str
    after: str
    headline: str
    new_findings: tuple[str, ...] = ()
    gone_findings: tuple[str, ...] = ()


class ScanDifference(NamedTuple):
    """What a newer scan says that an older one did not.

    broken: what fares worse (boots no longer, or by fallback only, or cannot be read). mended: what fares better.
    found: what fares as before, with other findings. added, removed: images and versions that only one of them has.
    same: those that fare as before, with the same findings.
    """

    broken: tuple[ScanChange, ...]
    mended: tuple[ScanChange, ...]
    found: tuple[ScanChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    same: int

    @property
    def regression(self) -> bool:
        """True when something fares worse than before."""
        return bool(self.broken)


class _Known(NamedTuple):
    """What is kept of a result for the comparison."""

    status: str
    rules: frozenset[str]
    headline: str
    source: str


def difference(older: Iterable[ScanResult], newer: Iterable[ScanResult]) -> ScanDifference:
    """Compare two scans by the names of their images, which are those below the folders that were scanned."""
    before, after = _by_name(older), _by_name(newer)
    broken: list[ScanChange] = []
    mended: list[ScanChange] = []
    found: list[ScanChange] = []
    same = 0
    for key in sorted(before.keys() & after.keys()):
        old, new = before[key], after[key]
        change = ScanChange(
            *key, old.status, new.status, new.headline,
            tuple(sorted(new.rules - old.rules)), tuple(sorted(old.rules - new.rules)),
        )  # fmt: skip
        worse = _rank(new.status) - _rank(old.status)
        if worse > 0:
            broken.append(change)
        elif worse < 0:
            mended.append(change)
        elif old.rules != new.rules or old.status != new.status:
            found.append(change)
        else:
            same += 1
    return ScanDifference(
        tuple(broken), tuple(mended), tuple(found), _words(after.keys() - before.keys()),
        _words(before.keys() - after.keys()), same,
    )  # fmt: skip


def _rank(status: str) -> int:
    """How bad a status is; all of those that do not come up are as bad as each other."""
    return min(_RANK[status], _RANK["down"])


def _by_name(results: Iterable[ScanResult]) -> dict[tuple[str, str], _Known]:
    """Results by name and version; where several folders have the same name in them, by the whole source."""
    rows = [
        (result.name, result.version, _Known(result.status, frozenset(result.rules), _headline(result), result.source))
        for result in results
        if result.state is not ScanState.NO_IMAGE
    ]
    often = Counter((name, version) for name, version, _ in rows)
    return {(name if often[name, version] == 1 else known.source, version): known for name, version, known in rows}


def _headline(result: ScanResult) -> str:
    return result.headline or result.error


def _words(keys: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name} ({version})" for name, version in sorted(keys))
