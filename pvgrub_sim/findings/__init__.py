"""Findings: why an image does not boot, or will not one day, and what to do about it.

Each rule is a small pure function over a Case (one run, its disks, an honest survey of them), grouped by family in
the modules that FAMILIES names; its text is its page in docs/rules.md.
"""

from __future__ import annotations

from pvgrub_sim.findings.examine import all_rules, examine
from pvgrub_sim.findings.rule import FAMILIES, Rule

__all__ = ["FAMILIES", "Rule", "all_rules", "examine"]
