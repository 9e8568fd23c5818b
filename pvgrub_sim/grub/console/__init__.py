"""What PV-GRUB draws on and waits at: the Xen console, terminal capabilities, keys, the menu's box; no menu."""
