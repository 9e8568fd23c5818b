"""Disks and what is cut out of them: raw reads, the track buffer, partitions and device names; no filesystem."""
