"""The rules, a module for each group of them: functions from facts to drafts, with their pages as text.

What is not inside: how a fact is found out (facts/), how a remedy is carried out or written down (remedies/), and how
the rules are applied (examine.py).
"""
