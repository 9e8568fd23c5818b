"""A volume of an attached disk, under the name by which PV-GRUB reaches it, with its files as they really are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.survey.result import Content, ContentKind, Volume
from pvgrub_sim.survey.surveyor import open_reader
from pvgrub_sim.survey.viewer import Files, Walked
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.survey.tree import Reader

ReaderMaker = Callable[["AttachedDisk", Volume], "Reader | None"]
"""Gives a reader of a volume's files, None where the survey has none."""


def gunzip(raw: bytes, most: int) -> bytes:
    """Up to `most` bytes of what gzip'd bytes unpack to, as GRUB reads a file; as they are when they do not."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(raw, most)
    except zlib.error:
        return raw


class Place(Files):
    """A volume of an attached disk under the name by which PV-GRUB reaches it.

    device: `(hd0,1)`; seen: PV-GRUB itself reaches it under that name. make_reader: gives the reader of its files.
    """

    def __init__(
        self,
        attached: AttachedDisk,
        index: int,
        volume: Volume,
        device: str,
        seen: bool,
        *,
        make_reader: ReaderMaker,
    ) -> None:
        self.attached = attached
        self.index = index
        self.volume = volume
        self.device = device
        self.seen = seen
        self._make_reader = make_reader
        self._ways: dict[str, Walked] = {}
        self.taken: dict[int, bool] = {}
        """Kernels that were shown to the loader, by their numbers in the filesystem: whether it takes them."""

    def _walked(self, path: str) -> Walked:
        # Walked once, for nothing changes within a case: what is found and where it really lies go together, also
        # where the survey's budget ends in between.
        if path not in self._ways:
            self._ways[path] = super()._walked(path)
        return self._ways[path]

    @property
    def given_up(self) -> bool:
        """True when there is more on it than the survey's reader looks at: it has not found all that it was asked for.

        A reader that was never asked has not been made.
        """
        reader = self.__dict__.get("reader")
        return reader is not None and reader.area.budget.given_up

    @property
    def whole(self) -> bool:
        """True for the disk itself."""
        return self.volume.number is None

    @property
    def filesystem(self) -> Content | None:
        """The filesystem, if there is one."""
        return self.volume.filesystem

    @property
    def type(self) -> str:
        """The filesystem's type as blkid names it, or ""."""
        return self.filesystem.type if self.filesystem else ""

    @property
    def where(self) -> Where:
        """For a finding: `(hd0,0) at byte 1048576 of disk.img`."""
        offset = None if self.whole else self.volume.offset
        return Where(self.device, offset=offset, image=self.attached.disk.name)

    def has(self, kind: ContentKind) -> bool:
        """True when something of that kind was found there."""
        return self.volume.has(kind)

    @cached_property
    def reader(self) -> Reader | None:  # type: ignore[override]  # it is found when it is first asked for
        """The survey's reader of its filesystem, None when there is none; made when it is first asked for."""
        return self._make_reader(self.attached, self.volume)


def not_all(images: Iterable[str]) -> str:
    """That not all of some images was looked at, in words; "" for no images."""
    named = ", ".join(dict.fromkeys(images))
    return f"more is on {named} than on a sound image" if named else ""


def reader_of(attached: AttachedDisk, volume: Volume) -> Reader | None:
    """A reader of a volume's files as they are; None where the survey has none."""
    return open_reader(attached.disk, volume)
