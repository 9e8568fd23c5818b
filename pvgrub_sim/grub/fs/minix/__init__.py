"""minix version 1: the driver."""
