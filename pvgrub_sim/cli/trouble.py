"""What went wrong around a command: memory that is not there, output that cannot be written, and the rest."""

from __future__ import annotations

import errno
import gc
import os
import sys

from pvgrub_sim.cli.output import complain
from pvgrub_sim.typed import Final

NO_MEMORY: Final = "not enough memory"
LACKING: Final = (MemoryError, OSError, ImportError)
"""The exceptions that want of memory may come as."""
_LAST_WORDS: Final = b"pvgrub-sim: not enough memory\n"
_HERE: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120  (pathlib would slow down every start)


def lacks_memory(error: BaseException) -> bool:
    """Whether that is what an exception comes from."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ImportError):
        # The words of the system's linker.
        text = str(error).lower()
        return "cannot allocate memory" in text or "failed to map segment" in text
    return isinstance(error, MemoryError)


def complain_of_memory(name: str | None) -> None:
    """Say that there is not enough memory, with what is left; call it when the exception and its frames are gone.

    name: what was looked at, where that is known.
    """
    try:
        gc.collect()
        # A password may stand in an address; to find out where takes memory.
        told = name if name and "://" not in name else None
        complain(f"{told}: {NO_MEMORY}" if told else NO_MEMORY)
    except MemoryError:
        os.write(2, _LAST_WORDS)


def was_writing(error: OSError) -> bool:
    """Whether an exception was raised by a write to standard output: by a line of the command line's own modules."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    return error.filename is None and trace.tb_frame.f_code.co_filename.startswith(_HERE)


def give_up_output() -> None:
    """What is still to be written goes nowhere, so that the end of the program does not fail on it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
