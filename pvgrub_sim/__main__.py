"""`python -m pvgrub_sim`, and the console script: from here on Ctrl-C ends in exit status 130, at any moment."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIGINT, signal
    from types import FrameType
else:
    # The half of the module that is written in C: the other half gives every signal a name, at each start.
    from _signal import SIGINT, signal

INTERRUPTED = 128 + 2
"""The exit status that a shell gives to a program which dies of SIGINT."""


def _leave(_number: int, _frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def start() -> None:
    """Run the command line."""
    # While modules are imported there is nothing to clean up. cli.entry() takes over.
    before = signal(SIGINT, _leave)
    from pvgrub_sim.cli import entry

    try:
        signal(SIGINT, before)
        entry()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        signal(SIGINT, _leave)


if __name__ == "__main__":
    start()
