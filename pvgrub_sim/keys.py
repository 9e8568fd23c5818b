"""Keys typed at PV-GRUB by a script, on a virtual clock: what `--keys` reads."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.inputs import read_input
from pvgrub_sim.model import Outcome
from pvgrub_sim.values import NamedTuple

CODES: dict[str, bytes] = {
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H", "end": b"\x1b[F",
    "delete": b"\x1b[3~", "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~", "enter": b"\r", "esc": b"\x1b", "tab": b"\t",
    "backspace": b"\x7f", "space": b" ", **{f"ctrl-{chr(0x60 + code)}": bytes((code,)) for code in range(1, 27)},
}  # fmt: skip
"""Names of keys, and what a vt100 sends for them."""
LARGEST_FILE = 1 << 20
"""Bytes of a key file that are read."""
LONGEST_WAIT = 1_000_000
"""Seconds."""

_IDLE = 30
"""How many looks at the console find nothing, with nothing printed or taken, before PV-GRUB counts as idle."""
_LOOK = 1
"""Hundredths of a second that a look at the console takes while a timeout counts."""
_LINGER = 2
"""Hundredths of a second that getkey() waits for more of a key: as long as three looks in `_IDLE`."""
_LOOKS_OF_LINGER = 3
_SECOND = 100
_START = 1 * _SECOND
"""When GRUB begins: main() in stubdom/grub/mini-os.c sleeps a second first."""


class Key(NamedTuple):
    """A key, or several that come in one burst.

    data: the bytes that the terminal sends. after: seconds after the last key was taken (the first: after the start);
    None: when PV-GRUB waits and nothing was printed or taken for a quarter of a second.
    """

    data: bytes
    after: float | None = None


def key_named(word: str) -> bytes:
    """The bytes of a key: a name such as `down` or `ctrl-c`, `text:abc`, or `hex:1b5b41`; raises UsageError."""
    kind, colon, rest = word.partition(":")
    if colon and kind == "text":
        return rest.encode("utf-8", "surrogateescape")
    if colon and kind == "hex":
        try:
            return bytes.fromhex(rest)
        except ValueError:
            raise UsageError(f"{word!r} has no hexadecimal bytes behind hex:") from None
    if word not in CODES:
        raise UsageError(f"unknown key {word!r}: one of {' '.join(CODES)}, text:… or hex:…")
    return CODES[word]


_LINE = re.compile(r"(?P<trigger>idle|@(?P<after>\d+(?:\.\d*)?|\.\d+))[ \t]+(?P<key>\S.*)", re.S)


def parse_keys(text: str, name: str = "keys") -> tuple[Key, ...]:
    """The keys of a key file, one a line; name: of the file, for the UsageError that a bad line raises.

    A line is `idle KEY` or `@SECONDS KEY`; blank lines and lines that begin with `#` do not count.
    """
    found: list[Key] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(f"{name}:{number}: a line is `idle KEY` or `@SECONDS KEY`")
        word = match["key"] if match["key"].startswith("text:") else match["key"].rstrip()
        after = None if match["after"] is None else float(match["after"])
        if after is not None and after > LONGEST_WAIT:
            raise UsageError(f"{name}:{number}: more than {LONGEST_WAIT} seconds")
        try:
            found.append(Key(key_named(word), after))
        except UsageError as error:
            raise UsageError(f"{name}:{number}: {error}") from None
    return tuple(found)


def read_keys(path: str | os.PathLike[str]) -> tuple[Key, ...]:
    """The keys of a key file, which must be UTF-8; raises UsageError, or ImageError when it cannot be read."""
    name = os.fspath(path)
    raw = read_input(name, LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise UsageError(f"{name}: more than {LARGEST_FILE} bytes")
    try:
        return parse_keys(raw.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise ImageError(name, "no UTF-8", error.start) from None


class TypedKeys:
    """A console backend that types keys and has a clock of its own, which runs only while PV-GRUB looks for a key.

    keys: in order. frozen: with all keys taken the run ends as soon as PV-GRUB is idle, in a timeout as well, where it
    would count on otherwise.
    """

    attended = True

    def __init__(self, keys: Iterable[Key], *, frozen: bool = False) -> None:
        self._keys = deque(keys)
        self._frozen = frozen
        self._ready: deque[int] = deque()
        self._now = _START
        self._taken_at = 0
        self._looks = 0

    def printed(self, data: bytes) -> None:
        """Whatever is printed, PV-GRUB is not idle."""
        self._looks = 0

    def fetch(self) -> int | None:
        """The next byte whose time has come."""
        while not self._ready and self._keys and self._due() <= 0:
            self._ready.extend(self._keys.popleft().data)
            self._take()
        if not self._ready:
            return None
        self._take()
        return self._ready.popleft()

    def _take(self) -> None:
        self._taken_at = self._now
        self._looks = 0

    def _due(self) -> int:
        """How far the next key is off: in looks when it wants PV-GRUB to be idle, else in hundredths of a second."""
        after = self._keys[0].after
        if after is None:
            return _IDLE - self._looks
        return round(after * _SECOND) + self._taken_at - self._now

    def linger(self) -> bool:
        """Time passes; what comes then is found the next time."""
        self._now += _LINGER
        self._looks += _LOOKS_OF_LINGER
        return False

    def pause(self) -> None:
        """Time passes up to the next key or second."""
        left = _SECOND - self._now % _SECOND
        if self._keys:
            left = min(left, self._due())
        elif self._frozen:
            if self._looks >= _IDLE:
                raise Stop(Outcome.MENU, "the timeout counts")
            left = min(left, _IDLE - self._looks)
        left = max(left, _LOOK)
        self._now += left
        self._looks += left

    def wait(self, waiting: Outcome, reason: str) -> None:
        """Time passes up to the next key; raises Stop when that was the last."""
        if not self._keys and not self._ready:
            raise Stop(waiting, reason)
        step = _LOOKS_OF_LINGER if self._keys and self._keys[0].after is None else _LINGER
        turns = max(-(-self._due() // step), 0) if self._keys else 0
        self._now += turns * _LINGER
        self._looks += turns * _LOOKS_OF_LINGER

    def seconds(self) -> int:
        """Full seconds since the domain was started."""
        return self._now // _SECOND
