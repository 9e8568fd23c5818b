"""Package findings."""
