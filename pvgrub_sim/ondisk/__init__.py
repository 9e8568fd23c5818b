"""Byte layouts, magic numbers and type codes of what lies on disks, each stated once under its source's names.

No behaviour: what GRUB makes of a field is in `grub/`, what a modern system makes of it in `survey/`.
"""
