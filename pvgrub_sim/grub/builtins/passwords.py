"""Comparing passwords (stage2/builtins.c:check_password)."""

from __future__ import annotations

from pvgrub_sim.grub.machine import PasswordType


def check_password(entered: bytes, expected: bytes, kind: PasswordType) -> bool:
    """True when the right password was entered; one of an unsupported kind (md5) never is."""
    return kind is PasswordType.PLAIN and entered == expected
