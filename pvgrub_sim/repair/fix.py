"""From an image to a mended one: a plan carried out on a copy, round by round, and proven by booting what came out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from pvgrub_sim.errors import ImageError, RepairError, UsageError
from pvgrub_sim.findings.plan.search import Blueprint, PlannedStep
from pvgrub_sim.findings.remedies.steps import BootDisk, BtrfsBootDisk
from pvgrub_sim.findings.remedies.words import in_words
from pvgrub_sim.media import Disk, open_disk
from pvgrub_sim.media.disk import layers_of
from pvgrub_sim.media.formats import FORMATS
from pvgrub_sim.media.sources import local_path
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.model import FixedImage, FixStep, Verdict
from pvgrub_sim.repair.copy import Progress, copy_disk, copy_image
from pvgrub_sim.repair.delivery import Made, Target, check_target, deliver, repair_folder
from pvgrub_sim.repair.guest import Guest
from pvgrub_sim.repair.inventory import Held, inventory, is_truncated, losses
from pvgrub_sim.repair.perform import Workshop
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.typed import Any, Final
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.verdict import boot_and_plan

MOST_ROUNDS: Final = 6
"""Times that an image is looked at again after a plan was carried out."""


def fix(
    image: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    in_place: bool = False,
    keep_partial: bool = False,
    only: Collection[str] = (),
    ignore: Collection[str] = (),
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> FixedImage:
    """Mend an image on a copy, and boot what came out.

    image: a path. output: of the mended image, which must not exist; None (and not in_place) only tries. in_place: the
    mended copy takes the image's place, when it boots. keep_partial: write what came out although it does not boot.
    only, ignore: ids of rules whose steps alone are carried out, or are not. progress: told of bytes copied, and of how
    many there are. say: told of each step in words. options: as of boot(). Raises UsageError, ImageError, and
    RepairError when a tool is missing or anything was lost, after which nothing was written.
    """
    name = local_path(os.fspath(image))
    target = Target(None if output is None else Path(os.fspath(output)), in_place)
    check_target(name, target)
    # It stays open until the end: a machine's other disks take part in all boots, and unpacking takes time.
    with closing(_open(name, options)) as original:
        before, plan = boot_and_plan(original, **options)
        home = Path(name).resolve().parent if target.path is None or in_place else target.path.absolute().parent
        with _naming(before.image), repair_folder(home) as folder:
            copy = folder / "image"
            unwrapped = _copy(original, copy, progress, in_place=in_place)
            guest = Guest(original, options)
            choice = _Choice(frozenset(only), frozenset(ignore))
            job = _Job(_Image(original.name, copy, original), guest, choice, say or _quiet)
            job.run(before, plan)
            mended = job.after.boots_default
            made = Made(job.copy, job.boot_disk, bool(job.steps))
            written = deliver(made, target, name) if mended or keep_partial else ()
            names = written or ((before.image,) if job.boot_disk is None else (before.image, job.boot_disk_name))
            disks = guest.disks(*names)
    after = job.after._replace(image=written[0] if written else before.image)
    steps = tuple(job.steps)
    return FixedImage(before.image, written, mended, before, steps, after, unwrapped, disks, guest.config)


@contextmanager
def _naming(image: str) -> Iterator[None]:
    """Errors tell what image they are about, as it is called in a verdict."""
    try:
        yield
    except RepairError as error:
        error.image = image
        raise


def _quiet(text: str) -> None:
    """Tell nobody."""


def _copy(disk: Disk, copy: Path, progress: Progress | None, *, in_place: bool = False) -> bool:
    """Copy an image: a raw one with its holes, any other as the disk that it stands for.

    True for what is of another format. Raises UsageError for one that a raw image must not take the place of.
    """
    if isinstance(disk, RawDisk):
        copy_image(disk.name, copy, progress)
    elif in_place:
        raise UsageError(f"{disk.name}: is no raw image, and what is mended is one: give it a name with -o")
    else:
        copy_disk(disk, copy, progress)
    return any(layer.format in FORMATS for layer in layers_of(disk))


def _open(image: str, options: Mapping[str, Any]) -> Disk:
    """The disk that an image stands for."""
    return open_disk(image, options.get("image_format") or "auto", options.get("access"))


class _Choice(NamedTuple):
    """Which steps are carried out: those of `only`, where it names any, without those of `ignore`."""

    only: frozenset[str]
    ignore: frozenset[str]

    def takes(self, planned: PlannedStep) -> bool:
        """True for a step that is to be carried out."""
        rules = set(planned.rules)
        return (not self.only or bool(self.only & rules)) and not rules <= self.ignore


class _Image(NamedTuple):
    """An image: what steps call it, its copy, and the image itself."""

    name: str
    copy: Path
    original: Disk


class _Job:
    """One image on its way: its name, its copy, and what has been done to that."""

    def __init__(self, image: _Image, guest: Guest, choice: _Choice, say: Callable[[str], None]) -> None:
        self._image, copy, self._original = image
        self.copy = copy
        self._guest = guest
        self._choice = choice
        self._say = say
        self._tools = Tools(copy.parent)
        self.steps: list[FixStep] = []
        self.boot_disk: Path | None = None
        self.boot_disk_name = ""
        self.after: Verdict

    def run(self, before: Verdict, plan: Blueprint | None) -> None:
        """Carry plans out until nothing is left to do, or a step fails."""
        self.after = before
        if is_truncated(self.copy):
            return
        seen = inventory(self.copy)
        for _ in range(MOST_ROUNDS):
            chosen = [planned for planned in (plan.steps if plan else ()) if self._choice.takes(planned)]
            if not chosen or not self._carry_out(chosen):
                break
            lost = self._losses(seen)
            if lost:
                raise RepairError(f"given up, for the copy lost what was on the image: {'; '.join(lost)}")
            self.after, plan = self._boot()
            if plan is None:
                break
        if self.steps:
            self.after, _ = self._boot()

    def _losses(self, seen: Mapping[int, Held]) -> list[str]:
        """What the copy has lost of the image, in words."""
        with closing(RawDisk(str(self.copy))) as now:
            return losses(seen, inventory(self.copy), self._original, now)

    def _carry_out(self, chosen: list[PlannedStep]) -> bool:
        """Carry steps out; False when one failed, after which nothing more is done, or nothing was left to do."""
        done_before = {step.what for step in self.steps}
        some = False
        for planned in chosen:
            what = " ".join(in_words(planned.step))
            if what in done_before or (self.boot_disk is not None and _makes_disk(planned)):
                # One boot disk is made: what it lacks would be wanting on another one as well.
                continue
            self._say(what)
            self._tools.ran.clear()
            try:
                done = Workshop(self._copies(), self._tools).perform(planned.step)
            except (RepairError, ImageError) as error:
                if isinstance(error, RepairError) and error.missing:
                    raise
                self.steps.append(FixStep(planned.rules, planned.why, what, self._commands(), str(error), False))
                return False
            if done is None:
                continue
            some = True
            if isinstance(planned.step, (BootDisk, BtrfsBootDisk)):
                self.boot_disk, self.boot_disk_name = done.made, planned.step.output
            self.steps.append(FixStep(planned.rules, planned.why, what, self._commands(), done.words, True))
        return some

    def _commands(self) -> tuple[str, ...]:
        """The tools that the step has run, each once."""
        return tuple(dict.fromkeys(shlex.join(ran.argv) for ran in self._tools.ran))

    def _copies(self) -> dict[str, Path]:
        copies = {self._image: self.copy, str(self.copy): self.copy}
        if self.boot_disk is not None:
            copies |= {self.boot_disk_name: self.boot_disk, str(self.boot_disk): self.boot_disk}
        return copies

    def _boot(self) -> tuple[Verdict, Blueprint | None]:
        """Boot what has come out so far: the copy, or the pair of boot disk and copy."""
        return self._guest.boot(self.copy, self.boot_disk)


def _makes_disk(planned: PlannedStep) -> bool:
    return isinstance(planned.step, (BootDisk, BtrfsBootDisk))
