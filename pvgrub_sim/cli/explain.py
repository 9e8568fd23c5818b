"""`pvgrub-sim explain`: what a rule means, and what to do about it."""

from __future__ import annotations

import argparse
import sys


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "rule", metavar="RULE", nargs="?", help="id of a rule, such as ext4-64bit; without one all rules are listed"
    )


def run(args: argparse.Namespace) -> int:
    """Print a rule's page, or the table of all rules."""
    from pvgrub_sim import all_rules, explain

    if args.rule is not None:
        sys.stdout.write(explain(args.rule))
        return 0
    rules = all_rules().values()
    width = max(len(rule.id) for rule in rules)
    sys.stdout.writelines(f"{rule.id:<{width}}  {rule.severity:<7}  {rule.title}\n" for rule in rules)
    return 0
