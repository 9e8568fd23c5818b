"""Facts: what can be found out about a run and its disks, each once.

What is inside: the case, the places on its disks, the menu with its line numbers. What is not: what any of it means for
a boot, which the rules say.
"""
