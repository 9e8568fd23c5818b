"""VSTa's filesystem: the driver."""
