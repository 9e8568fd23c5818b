"""Recorded cases that the simulation does not match yet, each with the reason; the suite fails when one passes."""

from __future__ import annotations

EXPECTED_FAILURES: dict[str, str] = {}
