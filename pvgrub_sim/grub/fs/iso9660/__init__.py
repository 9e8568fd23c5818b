"""ISO 9660 with Rock Ridge: the driver and its directories."""
