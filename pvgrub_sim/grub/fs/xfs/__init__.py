"""XFS version 4: the driver, its extents and its directories."""
