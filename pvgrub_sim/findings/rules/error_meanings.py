"""What GRUB's error numbers mean in an entry: a table."""

from __future__ import annotations

from pvgrub_sim.typed import Final

MEANINGS: Final = {
    1: "a path must begin with a slash, and options before it must be known",
    2: "the path leads to a directory, or through a file",
    3: "a gzip file is damaged",
    4: "a gzip file has a header that GRUB's gunzip does not know",
    5: "there is no partition table where one was asked for",
    8: "nothing was loaded",
    11: "a device is written (hd0) or (hd0,0)",
    12: "PV-GRUB knows hd0 to hd7, and no such use of them",
    14: "PV-GRUB's driver cannot read the file",
    15: "the file is not there, as PV-GRUB sees it",
    16: "the filesystem is damaged, or PV-GRUB's driver does not understand it",
    17: "no driver of PV-GRUB mounts what is on that device",
    18: "a read begins past the end of the disk: the image is shorter than its filesystem says",
    19: "an initrd wants a kernel before it",
    20: "a module wants a kernel before it",
    21: "the device does not exist; an entry without a root line has none",
    22: "the partition does not exist; PV-GRUB counts from 0",
    23: "a number was wanted",
    24: "a read leaves the partition",
    25: "a read ends past the end of the disk: the image is truncated",
    27: "the command may not stand in an entry",
    30: "the argument is none that the command knows",
    32: "a password is wanted",
}
"""What GRUB's errors mean in an entry, in other words than its own."""
