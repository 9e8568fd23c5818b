"""`python -m pvgrub_sim`, and the console script: from here on Ctrl-C ends in exit status 130, at any moment."""

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIGINT, signal
    from sys import UnraisableHookArgs
    from types import FrameType, ModuleType
else:
    # The half of the module that is written in C: the other half gives every signal a name, at each start.
    from _signal import SIGINT, signal

    ModuleType = type(sys)

INTERRUPTED = 128 + 2
"""The exit status that a shell gives to a program which dies of SIGINT."""
GARBAGE_THRESHOLD = 25_000
"""Objects that are made before Python looks for cyclic garbage: a mounted filesystem leaves a few dozen KiB of it."""


def _leave(_number: int, _frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def _unraisable(lost: "UnraisableHookArgs") -> None:
    """Have a Ctrl-C that met a callback, which Python lets nobody catch, come once more: importlib has such ones."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    from _thread import start_new_thread

    start_new_thread(_interrupt_again, ())


def _interrupt_again() -> None:
    from time import sleep

    # Behind the hook, where it would be lost as well.
    sleep(0.01)
    os.kill(os.getpid(), SIGINT)


class _Untranslated(ModuleType):
    """gettext, where nothing is translated."""

    gettext = str

    @staticmethod
    def ngettext(one: str, many: str, count: int) -> str:
        """The message for that many."""
        return one if count == 1 else many


def _import_argparse() -> None:
    """argparse, without the search for translations of its messages, which there are none of.

    gettext looks through a row of folders for them, and imports locale for it; others get the real one later.
    """
    if "argparse" in sys.modules or "gettext" in sys.modules:
        return
    sys.modules["gettext"] = _Untranslated("gettext")
    import argparse  # noqa: F401  (for all that import it after this)

    del sys.modules["gettext"]


def start() -> None:
    """Run the command line."""
    # A run makes hardly any cyclic garbage, and the imports would set off many collections that find nothing.
    gc.set_threshold(GARBAGE_THRESHOLD)
    # While modules are imported there is nothing to clean up. cli.entry() takes over.
    before = signal(SIGINT, _leave)
    _import_argparse()
    from pvgrub_sim.cli import entry

    sys.unraisablehook = _unraisable
    try:
        signal(SIGINT, before)
        entry()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        signal(SIGINT, _leave)


if __name__ == "__main__":
    start()
