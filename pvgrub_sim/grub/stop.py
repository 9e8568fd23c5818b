"""The ways in which PV-GRUB's run ends, as one exception."""

from __future__ import annotations

from pvgrub_sim.model import Outcome


class Stop(Exception):
    """The run is over: the kernel was handed over, a key is wanted, PV-GRUB halts, hangs or dies.

    outcome: how. reason: why, in words (where it hangs, dies or waits).
    """

    def __init__(self, outcome: Outcome, reason: str = "") -> None:
        self.outcome = outcome
        self.reason = reason
        super().__init__(f"{outcome}: {reason}" if reason else str(outcome))


class Restart(Exception):
    """`configfile` starts stage 2 again (grub_longjmp (restart_env, 0))."""


class RestartCmdline(Exception):
    """`terminal` draws the prompt anew (grub_longjmp (restart_cmdline_env, 0))."""
