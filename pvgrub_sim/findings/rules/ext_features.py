"""Features of ext filesystems that change what PV-GRUB reads: a table."""

from __future__ import annotations

from pvgrub_sim.typed import Final

HARMFUL: Final = {
    "inline_data": "small files and directories lie in the inode, where PV-GRUB does not look",
    "encrypt": "encrypted names and files read as noise",
    "bigalloc": "with blocks of 1 KiB its group descriptors are looked for in the wrong block",
    "meta_bg": "its group descriptors are looked for in the wrong block",
    "compression": "compressed files are read as they are stored",
    "journal_dev": "it is another filesystem's journal",
    "casefold": "names must be written in menu.lst exactly as they are stored",
    "dirdata": "directory entries carry more than names",
    "ea_inode": "extended attributes have inodes of their own",
    "large_dir": "directories may have three levels of index",
}
"""Features of which the driver knows nothing and which can change what it reads, and what they do."""
