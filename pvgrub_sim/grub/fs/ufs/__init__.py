"""UFS1 and UFS2: one driver each, and the file that they share."""
