"""The disks of a domain's configuration (tools/libs/util/libxlu_disk_l.l; docs/man/xl-disk-configuration.5.pod.in)."""

from __future__ import annotations

import re

from pvgrub_sim.errors import UsageError
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

FORMATS: Final = ("raw", "qcow", "qcow2", "vhd", "qed", "empty")
_ACCESS: Final = ("r", "ro", "w", "rw", "")
_SETTINGS: Final = frozenset(
    {
        "format", "devtype", "backend", "backendtype", "specification", "vdev", "script", "colo-host",
        "colo-port", "colo-export", "active-disk", "hidden-disk", "grant_usage",
    }
)  # fmt: skip
_FLAGS: Final = frozenset(
    {"cdrom", "direct-io-safe", "discard", "no-discard", "colo", "no-colo", "trusted", "untrusted"}
)
_FORMAT_PREFIX: Final = re.compile(r"(raw|qcow2?|vhd):")
_SCRIPT_PREFIX: Final = re.compile(r"(iscsi|e?nbd|drbd):")
_OTHER_PREFIX: Final = re.compile(r"(?:tapdisk|tap2?|aio|ioemu|file|phy):")
_UNKNOWN_PREFIX: Final = re.compile(r"[a-z][a-z0-9]*:(?:[^a-z0-9]|$)")
_POSITIONS: Final = ("target", "format", "vdev", "access")


LONGEST: Final = 16 << 10
"""Characters of a disk's text, in which several paths of the greatest length have room; xl itself has no limit."""


class XlDisk(NamedTuple):
    """A disk of a Xen domain.

    target: the path of the image or block device. format: `raw`, `qcow2`, `vhd`, …; xl looks at no content. device: the
    name or vbd number that the guest sees. cdrom: it is one, and may be empty. script: what makes a device of the
    target, or empty.
    """

    target: str
    format: str
    device: str
    cdrom: bool = False
    script: str = ""


def parse_disk(spec: str) -> XlDisk:
    """A disk from its text in a configuration, as xl takes it apart, and no further; raises UsageError."""
    if len(spec) > LONGEST:
        raise UsageError(f"a disk of more than {LONGEST} characters: {spec[:80]!r}…")
    return _Spec(spec).parse()


class _Spec:
    """Named and positional parameters, each at most once."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._found: dict[str, str] = {}
        self._prefixed = False

    def parse(self) -> XlDisk:
        rest = self._spec
        while rest := rest.lstrip(" \t\n"):
            rest = self._parameter(rest)
        found = self._found
        cdrom = found.get("devtype") == "cdrom"
        target = found.get("target", "")
        if "vdev" not in found:
            raise self._error("no vdev is given, the guest's name of the disk")
        if "target" not in found and not cdrom:
            raise self._error("no target is given, and it is no cdrom")
        image_format = "empty" if cdrom and not target else found.get("format", "raw")
        return XlDisk(target, image_format, found["vdev"], cdrom, found.get("script", ""))

    def _parameter(self, rest: str) -> str:
        """Take one parameter; returns what is behind it."""
        if rest.startswith("target="):
            self._save("target", rest.removeprefix("target=").removesuffix(","))
            return ""
        if prefix := _FORMAT_PREFIX.match(rest):
            self._save("format", prefix[1])
        elif prefix := _SCRIPT_PREFIX.match(rest):
            self._save("script", f"block-{prefix[1]}")
        else:
            prefix = _OTHER_PREFIX.match(rest)
        if prefix:
            self._prefixed = True
            return rest[prefix.end() :]
        if _UNKNOWN_PREFIX.match(rest):
            raise self._error("an unknown prefix, which is no path either")
        word, _, behind = rest.partition(",")
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            if word == "cdrom":
                self._found["devtype"] = "cdrom"
        elif name == "access" and equals:
            # One without a name may still come.
            self._check_access(value)
        elif equals and name in _SETTINGS:
            self._save(name, value)
        elif equals:
            raise self._error(f"{name!r} is no parameter of a disk")
        else:
            self._positional(word)
        return behind

    def _positional(self, word: str) -> None:
        """A parameter without a name goes to the first place that is still free."""
        for place in _POSITIONS:
            if place not in self._found and not (place == "format" and self._prefixed):
                break
        else:
            raise self._error("too many parameters without a name")
        if place == "format" and not self._found["target"] and ":" in word:
            # An empty drive in the old form: `,hdc:cdrom`.
            self._save("format", "empty")
            place = "vdev"
        if place == "vdev" and ":" in word:
            word, _, kind = word.rpartition(":")
            if kind not in ("cdrom", "disk"):
                raise self._error(f"{kind!r} is no type of a device")
            self._found["devtype"] = kind
        if place == "access":
            self._check_access(word)
        self._save(place, word)

    def _save(self, name: str, value: str) -> None:
        """Keep a parameter's value; most may not be said twice, not even with the same one."""
        if name == "format":
            value = value or "raw"
            if value not in FORMATS:
                raise self._error(f"{value!r} is no format that xl knows")
            if self._found.get(name, value) != value:
                raise self._error("two formats are given")
        elif name == "devtype":
            if value not in ("cdrom", "disk"):
                raise self._error(f"{value!r} is no type of a device")
        elif self._found.get(name) and name != "access":
            raise self._error(f"{name} is given twice")
        self._found[name] = value

    def _check_access(self, value: str) -> None:
        if value not in _ACCESS:
            raise self._error(f"{value!r} is no access that xl knows")

    def _error(self, what: str) -> UsageError:
        return UsageError(f"disk {self._spec!r}: {what}")
