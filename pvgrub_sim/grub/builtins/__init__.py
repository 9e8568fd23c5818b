"""PV-GRUB's commands, grouped by theme; `table` knows them all, and imports them when they are looked up.

Not here: how a menu or a line is cut into commands (`menu/`).
"""
