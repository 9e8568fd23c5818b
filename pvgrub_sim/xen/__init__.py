"""Package xen."""
