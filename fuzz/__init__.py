"""A harness that mutates all that pvgrub-sim reads, and holds it to what docs/security.md promises."""
