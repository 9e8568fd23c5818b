"""The emulated stage2: GNU GRUB 0.97 as patched for Xen's Mini-OS, quirks and bugs included.

On top `stage2.py` runs PV-GRUB, and `viewer.py` asks a fresh machine; all state is in `machine.py`. Not here: the
kernel loader, which is handed in, and any opinion on what is right.
"""
