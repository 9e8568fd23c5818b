"""JFS: the driver and its trees."""
