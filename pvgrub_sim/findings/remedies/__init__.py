"""Remedies: steps as data, the makers that build them from facts, and the one place where they become text.

What is inside: the kinds of step (steps.py), the volumes that they work on (volumes.py), makers (edits.py, files.py),
the gate for names (names.py), and the two forms that a step has: commands for a shell (commands.py) and words for a
person (words.py). What is not: the reasons, which are the rules'.
"""
