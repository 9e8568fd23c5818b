"""One look at one image: what a worker does, and all that it says of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pvgrub_sim import __version__
from pvgrub_sim.budget import Budget
from pvgrub_sim.errors import PvgrubSimError
from pvgrub_sim.fleet.values import Job, Look, ScanSettings, ScanState
from pvgrub_sim.media import Access
from pvgrub_sim.media.disk import known_size
from pvgrub_sim.ondisk import ext2, mbr
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.xen.memory import LoaderMemory

SECTOR = 512
_FIRST_BYTES = 2048
_EXT_MAGIC = 1024 + ext2.S_MAGIC
AUTO = "auto"
"""The PV-GRUB that an AMI is registered with, elsewhere Amazon's newest: what boot() takes when none is named."""


def look(job: Job, settings: ScanSettings, memory: LoaderMemory | None = None) -> Look:
    """What boot() says of an image. Whatever goes wrong is part of the answer; only MemoryError is passed on.

    memory: of kernels that were unpacked before: many images of a fleet have the same.
    """
    begin = time.perf_counter()
    try:
        if job.sniff and not is_image(job.source, settings.access(job.region), settings.image_format):
            seen = Look(ScanState.NO_IMAGE, __version__)
        else:
            seen = _boot(job, settings, memory)
    except PvgrubSimError as error:
        seen = Look(ScanState.UNREADABLE, __version__, error=_clean(str(error)))
    except MemoryError:
        raise
    except Exception as error:  # a mistake may be any
        # A mistake of ours costs this image its verdict, and no other.
        words = f"internal error: {type(error).__name__}: {error}{_place(error)}"
        seen = Look(ScanState.UNREADABLE, __version__, error=_clean(words))
    return seen._replace(seconds=round(time.perf_counter() - begin, 6))


def is_image(source: str, access: Access, image_format: str = "auto") -> bool:
    """True when there is a boot sector, or anything that the survey knows; raises ImageError when it is not read.

    access, image_format: as for open_image().
    """
    from pvgrub_sim.image import inspect_image, open_image
    from pvgrub_sim.media.formats.table import NoImage

    path = Path(source)
    if path.is_file() and path.stat().st_size < SECTOR:
        return False
    try:
        disk = open_image(source, image_format=image_format, access=access)
    except NoImage:
        return False
    try:
        if known_size(disk) < SECTOR:
            return False
        head = disk.read(0, min(known_size(disk), _FIRST_BYTES))
        if head[mbr.SIGNATURE_OFFSET : mbr.SIGNATURE_OFFSET + 2] == mbr.SIGNATURE:
            return True
        if head[_EXT_MAGIC : _EXT_MAGIC + 2] == ext2.MAGIC.to_bytes(2, "little"):
            return True
        survey = inspect_image(disk)
        return survey.table.kind != "none" or any(volume.contents for volume in survey.volumes)
    finally:
        disk.close()


def _boot(job: Job, settings: ScanSettings, memory: LoaderMemory | None) -> Look:
    from pvgrub_sim.report.json_report import as_json
    from pvgrub_sim.report.words import headline
    from pvgrub_sim.safetext import one_line
    from pvgrub_sim.verdict import boot

    aki, pvgrub = _version(job)
    if memory is not None:
        # What one image takes is not missing for the next.
        memory.budget = Budget()
    verdict = boot(
        job.source,
        aki=aki,
        pvgrub=pvgrub,
        device=settings.device,
        config=settings.config,
        arch=settings.arch if aki is None else "auto",
        instance_type=settings.instance_type,
        unpack=settings.unpack,
        findings=settings.findings,
        loader_memory=memory,
        image_format=settings.image_format,
        access=settings.access(job.region),
    )
    detail = verdict.kernel.detail if verdict.kernel else {}
    return Look(
        ScanState.VERDICT,
        __version__,
        outcome=str(verdict.outcome),
        boots_default=verdict.boots_default,
        entry=verdict.entry,
        profile=verdict.profile.name,
        arch=verdict.profile.arch,
        aki=verdict.profile.aki or "",
        rules=tuple((finding.rule, str(finding.severity)) for finding in verdict.findings),
        kernel=one_line(str(detail.get("version", ""))),
        payload=one_line(str(detail.get("payload", ""))),
        headline=headline(verdict),
        # ASCII: names that are no UTF-8 stay what they are.
        verdict=json.dumps(as_json(verdict), separators=(",", ":")),
    )


def _version(job: Job) -> tuple[str | None, str | None]:
    """AKI and version for boot()."""
    if job.version == AUTO:
        return None, None
    return (job.version, None) if is_aki(job.version) else (None, job.version)


def is_aki(version: str) -> bool:
    """True for the id or name of an AKI: `aki-176bf516`, `pv-grub-hd0_1.04-x86_64.gz`."""
    return version.startswith("aki-") or "pv-grub-" in version


def _clean(text: str) -> str:
    from pvgrub_sim.safetext import one_line

    return one_line(text)


def _place(error: Exception) -> str:
    """Where in the source it happened, in words."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno})" if trace is not None else ""
