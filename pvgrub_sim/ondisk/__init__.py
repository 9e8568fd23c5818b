"""Package ondisk."""
