"""`python -m pvgrub_sim`, and the console script: from here on Ctrl-C ends in exit status 130, at any moment."""

import os
import signal
from types import FrameType

INTERRUPTED = 128 + 2
"""The exit status that a shell gives to a program which dies of SIGINT."""


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def start() -> None:
    """Run the command line."""
    # While modules are imported there is nothing to clean up. cli.entry() takes over.
    before = signal.signal(signal.SIGINT, _leave)
    from pvgrub_sim.cli import entry

    try:
        signal.signal(signal.SIGINT, before)
        entry()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, _leave)


if __name__ == "__main__":
    start()
