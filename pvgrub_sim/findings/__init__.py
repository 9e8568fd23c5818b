"""Findings: why an image does not boot, or will not one day, and what to do about it.

Inside: facts (facts/), the rules that draw on them (rule.py, rules/), remedies as steps and their text (remedies/), the
rules applied to a run (examine.py), and the rules' pages (pages.py). Not inside: what an image does, which is the
machine's, and carrying a remedy out, which is a repair.
"""

from __future__ import annotations

from pvgrub_sim.findings.examine import all_rules, examine
from pvgrub_sim.findings.rule import FAMILIES, Rule

__all__ = ["FAMILIES", "Rule", "all_rules", "examine"]
