"""How far a scan is: bars where rich is installed and a terminal is there, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pvgrub_sim import ScanProgress, one_line
from pvgrub_sim.typed import Any

LINE_SECONDS = 10.0
"""Between two plain lines."""
DRAW_SECONDS = 0.2
_NAME = 60
"""Characters of what a worker is at; the end of a path says more than its beginning."""

Show = Callable[[ScanProgress], None]


@contextmanager
def progress_of(*, quiet: bool) -> Iterator[Show | None]:
    """What shows the progress of a scan on standard error, until the block ends; None when nothing is to be shown."""
    if quiet:
        yield None
    elif sys.stderr is not None and sys.stderr.isatty() and (rich := _rich()) is not None:
        with rich as show:
            yield show
    else:
        yield _Lines()


class _Lines:
    """A line now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, progress: ScanProgress) -> None:
        """Print one, when it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            print(f"pvgrub-sim: {words(progress)}", file=sys.stderr, flush=True)


def words(progress: ScanProgress) -> str:
    """`1,200 of 10,000 done, 310 failing, 55.2 a second, 2 min 39 s left`."""
    left = f", {_time(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    return (
        f"{progress.done:,} of {progress.total:,} done, {progress.failing:,} failing, "
        f"{progress.per_second:.1f} a second{left}"
    )


def _time(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _rich() -> Any:
    """A block that shows bars; None without the package rich."""
    try:
        import rich.console
        import rich.live
        import rich.progress_bar
        import rich.text
    except ImportError:
        return None

    def picture(progress: ScanProgress) -> Any:
        # Text, not markup: a file's name is data.
        workers = [
            rich.text.Text(f"  worker {number}: {_end(name)}", no_wrap=True, overflow="ellipsis")
            for number, name in enumerate(progress.workers, 1)
            if name
        ]
        # The bar comes last: it does not end its line.
        bar = rich.progress_bar.ProgressBar(max(progress.total, 1), progress.done)
        return rich.console.Group(rich.text.Text(words(progress)), *workers, bar)

    @contextmanager
    def bars() -> Iterator[Show]:
        last = 0.0
        with rich.live.Live(console=rich.console.Console(stderr=True), auto_refresh=False, transient=True) as live:

            def show(progress: ScanProgress) -> None:
                nonlocal last
                now = time.monotonic()
                if now - last >= DRAW_SECONDS:
                    last = now
                    live.update(picture(progress), refresh=True)

            yield show

    return bars()


def _end(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= _NAME else f"…{text[-_NAME:]}"
