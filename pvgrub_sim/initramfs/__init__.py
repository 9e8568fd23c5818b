"""What is in an initrd: its archives unpacked in memory, a piece at a time, as the kernel would unpack them.

Nothing is written, and nothing of it decides what PV-GRUB does: PV-GRUB hands an initrd over as it is.
"""
