"""The configuration of a Xen domain as xl reads it, for what it says of PV-GRUB and its disks: data, no program."""
