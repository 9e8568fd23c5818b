"""pytest plugin: the fixture `pvgrub_boot`, and failures that say why PV-GRUB does not boot an image.

    def test_image_boots(pvgrub_boot):
        assert pvgrub_boot("disk.img", pvgrub="amazon-1.05").boots_default

It is loaded through the entry point `pvgrub_sim` of the group `pytest11`.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence

import pytest

from pvgrub_sim.typed import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pvgrub_sim.model import Verdict


class PvgrubBoot(Protocol):
    """The type of the fixture `pvgrub_boot`."""

    def __call__(self, image: str | os.PathLike[str], **options: Any) -> Verdict:
        """The verdict on an image; options as for pvgrub_sim.boot(), whose errors are raised."""
        ...


_VERDICTS: pytest.StashKey[list[Verdict]] = pytest.StashKey()
"""The verdicts that the running test asked for."""


@pytest.fixture
def pvgrub_boot(request: pytest.FixtureRequest) -> PvgrubBoot:
    """Tell what PV-GRUB would do with a disk image: pvgrub_boot(image, **options of pvgrub_sim.boot) -> Verdict."""
    asked: list[Verdict] = []
    request.node.stash[_VERDICTS] = asked
    request.config.stash[_VERDICTS] = asked

    def ask(image: str | os.PathLike[str], **options: Any) -> Verdict:
        from pvgrub_sim import boot

        verdict = boot(image, **options)
        asked.append(verdict)
        return verdict

    return ask


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the whole report on each image below the failure of the test that asked for it."""
    report = yield
    if report.when == "call" and report.failed:
        from pvgrub_sim.report import render_report
        from pvgrub_sim.safetext import one_line

        verdicts = item.stash.get(_VERDICTS, [])
        if verdicts:
            # `assert verdict.boots_default, verdict.console` quotes what the image says.
            _make_printable(report.longrepr)
        for verdict in verdicts:
            report.sections.append((f"pvgrub-sim: {one_line(verdict.image)}", render_report([verdict])))
    if report.when == "teardown":
        item.config.stash[_VERDICTS] = []
    return report


def _make_printable(failure: object) -> None:
    """Make what a failure quotes printable, in place: pytest writes the text of an exception as it is."""
    from pvgrub_sim.safetext import one_line, printable

    chain = getattr(failure, "chain", None) or [(getattr(failure, "reprtraceback", None), None, None)]
    for traceback, crash, _ in [*chain, (None, getattr(failure, "reprcrash", None), None)]:
        if crash is not None:
            crash.message = printable(crash.message)
        for part in getattr(traceback, "reprentries", ()):
            part.lines[:] = [one_line(line) for line in part.lines]


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Explain `assert verdict.outcome == "boots"` and comparisons of whole verdicts."""
    from pvgrub_sim.model import Outcome, Verdict

    if isinstance(left, Verdict) and isinstance(right, Verdict) and op == "==":
        return ["the verdicts differ", *_differences(left, right)]
    outcome = next((side for side in (left, right) if isinstance(side, Outcome)), None)
    if outcome is None:
        return None
    lines = [f"{_word(left)} {op} {_word(right)}"]
    # The outcome does not know its verdict: the test's verdicts with that outcome are what it can stem from.
    for verdict in config.stash.get(_VERDICTS, []):
        if verdict.outcome is outcome:
            lines += _why(verdict)
    return lines


def _word(side: object) -> str:
    return repr(str(side)) if isinstance(side, str) else repr(side)


def _why(verdict: Verdict) -> list[str]:
    """The verdict in one sentence, the errors and the findings; the console comes with the whole report."""
    from pvgrub_sim.report import words
    from pvgrub_sim.safetext import one_line

    lines = [f"{one_line(verdict.image)}: {words.headline(verdict)}"]
    for error in verdict.errors:
        where = "" if error.entry is None else f"entry {error.entry}: "
        what = ": ".join(filter(None, [words.error_words(error), error.command, error.detail]))
        lines.append(one_line(f"  {where}{what}"))
    for finding in words.by_severity(verdict.findings):
        lines.append(one_line(f"  {finding.severity} {finding.rule}: {finding.message}"))
    return lines


_COMPARED: Sequence[str] = (
    "outcome",
    "entry",
    "default_entry",
    "config",
    "errors",
    "kernel",
    "initrd",
    "cmdline",
    "reason",
    "console",
    "writes",
    "findings",
    "profile",
    "image",
)


def _differences(left: Verdict, right: Verdict) -> list[str]:
    from pvgrub_sim.safetext import one_line

    lines = []
    for name in _COMPARED:
        one, other = getattr(left, name), getattr(right, name)
        if one != other:
            lines += [f"{name}:", one_line(f"  {one!r}"), one_line(f"  {other!r}")]
    return lines or ["only in their events or layout"]
