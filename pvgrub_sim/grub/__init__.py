"""The emulated stage2: GNU GRUB 0.97 as patched for Xen's Mini-OS, quirks and bugs included."""
