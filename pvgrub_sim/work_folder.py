"""A folder for what is on its way, which is gone afterwards however the work ends."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pvgrub_sim.typed import Final

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a program which does not look after them: then nobody would clear up."""


@contextmanager
def work_folder(home: Path) -> Iterator[Path]:
    """A folder for what is on its way, which goes with all that is in it, however the work ends.

    home: where it is made, so that what comes out only has to be renamed; the system's own place where nobody may
    write there. SIGTERM and SIGHUP end the work as Ctrl-C does, and are then passed on.
    Raises OSError when it cannot be made.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    ours = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in ENDING} if ours else {}
    for number, handler in before.items():
        # Whoever has a handler, or has said that the signal is to be ignored, keeps that.
        if handler is signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        yield from _folder(home if os.access(home, os.W_OK) else None)
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, handler)


def _folder(home: Path | None) -> Iterator[Path]:
    """A folder as long as it is wanted. No signal comes between its making and the care for it, or into its removal."""
    made: tempfile.TemporaryDirectory[str] | None = None
    try:
        try:
            with undisturbed():
                made = tempfile.TemporaryDirectory(prefix=".pvgrub-sim.", dir=home, ignore_cleanup_errors=True)
            yield Path(made.name)
        finally:
            # A signal that comes here is the reason why this is done once more.
            _remove(made)
    finally:
        _remove(made)


def _remove(made: tempfile.TemporaryDirectory[str] | None) -> None:
    with undisturbed():
        if made is not None:
            made.cleanup()


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is done meanwhile is done as a whole: signals that would end it wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *ENDING))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
