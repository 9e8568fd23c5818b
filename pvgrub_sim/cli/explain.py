"""`pvgrub-sim explain`: what a rule means, and what to do about it."""

from __future__ import annotations

import argparse
import sys

from pvgrub_sim.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "rule", metavar="RULE", nargs="?", help="id of a rule, such as ext4-64bit; without one all rules are listed"
    )


def run(args: argparse.Namespace) -> int:
    """Print a rule's page, or the table of all rules."""
    from pvgrub_sim.findings.pages import as_text, table
    from pvgrub_sim.findings.rule import all_rules

    if args.rule is None:
        sys.stdout.write(table())
        return 0
    rules = all_rules()
    if args.rule not in rules:
        from difflib import get_close_matches

        near = get_close_matches(args.rule, rules, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; `pvgrub-sim explain` lists them"
        raise UsageError(f"no rule is called {args.rule!r}{hint}")
    sys.stdout.write(as_text(rules[args.rule]))
    return 0
