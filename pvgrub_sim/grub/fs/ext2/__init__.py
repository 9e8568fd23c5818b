"""ext2, ext3 and ext4: the driver, its block maps and its directories."""
