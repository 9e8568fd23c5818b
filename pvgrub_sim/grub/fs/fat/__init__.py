"""FAT12, FAT16 and FAT32: the driver, its parameter block and its directories."""
