"""Package survey."""
