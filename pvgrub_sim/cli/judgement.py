"""The options of `boot` that say which findings count, what is shown, and what the exit status comes to."""

from __future__ import annotations

import argparse

from pvgrub_sim import UsageError
from pvgrub_sim.cli.machine import ignored
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import Severity, Verdict

SEVERITIES = ("error", "warning", "note")
"""From the worst to the least, as Severity has them."""
FORMATS_OF_PARTS = ("text", "github")
"""Reports that may be on some of the images only: the others would tell a program that the rest was not looked at."""


def configure_judgement(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        type=ignored,
        help="findings of this rule do not count; RULE=REASON says why (may be given several times)",
    )
    parser.add_argument(
        "--severity",
        choices=SEVERITIES,
        default="note",
        help="show findings as bad as this, or worse (default: note)",
    )
    parser.add_argument(
        "--fail-on", choices=SEVERITIES, help="exit 1 on a finding that is as bad as this, also when the image boots"
    )
    parser.add_argument("--quiet", action="store_true", help="report only images that fail, and nothing when none does")
    parser.add_argument("--allow-fallback", action="store_true", help="exit 0 when any entry boots, also a fallback")


def check_judgement(args: argparse.Namespace) -> None:
    """Make sure that the options do not contradict each other; raises UsageError."""
    if args.fail_on is not None and SEVERITIES.index(args.fail_on) > SEVERITIES.index(args.severity):
        raise UsageError(f"--fail-on {args.fail_on} counts findings that --severity {args.severity} does not show")
    for name in ("console", "log"):
        if getattr(args, name) and args.format != "text":
            raise UsageError(f"--{name} prints what the Xen console shows, and no report: it takes no --format")
    if args.quiet and args.format not in FORMATS_OF_PARTS:
        raise UsageError(f"--quiet leaves images out, which --format {args.format} must not")


def fail_on(args: argparse.Namespace) -> Severity | None:
    """The severity from which on a finding fails an image."""
    if args.fail_on is None:
        return None
    from pvgrub_sim import Severity

    return Severity(args.fail_on)


def judged(verdict: Verdict, args: argparse.Namespace) -> Verdict:
    """The verdict with the findings that are to be shown."""
    if args.severity == SEVERITIES[-1]:
        return verdict
    shown = SEVERITIES[: SEVERITIES.index(args.severity) + 1]
    return verdict._replace(
        findings=tuple(one for one in verdict.findings if one.severity in shown),
        ignored=tuple(one for one in verdict.ignored if one.finding.severity in shown),
    )


def exit_status(verdict: Verdict, *, allow_fallback: bool = False, fail_on: Severity | None = None) -> int:
    """0 the default entry boots (or any, with allow_fallback), 3 only a fallback boots, 1 nothing boots.

    fail_on: 1 also when there is a finding as bad as this, or worse.
    """
    from pvgrub_sim import Outcome

    if verdict.outcome is not Outcome.BOOTS:
        return 1
    if fail_on is not None and any(one.severity.rank <= fail_on.rank for one in verdict.findings):
        return 1
    return 0 if allow_fallback or verdict.boots_default else 3
