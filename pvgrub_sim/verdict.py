"""A request, a run and the findings become a verdict: the public way to ask what PV-GRUB would do with an image."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack

from pvgrub_sim.budget import Budget, GivenUp
from pvgrub_sim.errors import UsageError
from pvgrub_sim.media import Access, Disk
from pvgrub_sim.media.disk import Unpacks, known_size
from pvgrub_sim.request import Request, read_request
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.bootchain import Boot, Console, HandedOver
    from pvgrub_sim.findings.plan.search import Blueprint
    from pvgrub_sim.keys import Key
    from pvgrub_sim.model import BootError, Verdict
    from pvgrub_sim.profiles.ami import AmiDescription
    from pvgrub_sim.xen.memory import LoaderMemory

NO_OPTIONS: Final[dict[str, Any]] = {
    "disks": None, "device": None, "aki": None, "pvgrub": None, "arch": "auto", "config": None, "ami": None,
    "image_format": "auto", "access": None, "memory": None, "ami_id": None,
    "instance_type": None,
}  # fmt: skip
"""What read_request() takes where the caller says nothing."""


def boot(
    image: str | os.PathLike[str] | Disk,
    *,
    disks: Mapping[str, str | os.PathLike[str] | Disk] | None = None,
    device: str | None = None,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str = "auto",
    config: str | None = None,
    ami: AmiDescription | str | os.PathLike[str] | None = None,
    ari: str | None = None,
    unpack: bool = True,
    findings: bool = True,
    memory: int | None = None,
    timeout: float | None = None,
    loader_memory: LoaderMemory | None = None,
    image_format: str = "auto",
    access: Access | None = None,
    keys: Iterable[Key] | None = None,
    ami_id: str | None = None,
    instance_type: str | None = None,
    ignore: Collection[str] | Mapping[str, str] = (),
) -> Verdict:
    """Tell what PV-GRUB would do with a disk image.

    image: the image of the first disk (a path, or what open_image() returned), attached as `device` (`/dev/sda1` unless
    the AMI says otherwise). disks: further images by device name; the order of the vbd numbers makes hd0, hd1, … aki:
    id or name of an Amazon kernel image; pvgrub: a version such as `amazon-1.05` or `xen-4.17` (default: the newest of
    Amazon's). arch: `x86_64`, `i386`, or `auto` for that of the kernel. config: the config file's path, as a Xen
    domain's `extra=` gives it. ami: a description, or a file with the JSON of `aws ec2 describe-images`: AKI, ARI,
    architecture and root device are taken from there where no argument says otherwise. ari: the id of a ramdisk image
    that goes with the image. memory: of the domain, in MiB (default: that of the instance type, else 256). timeout:
    seconds after which there is no answer: the outcome is then `timeout`, or findings are missing, and `reason` says
    so. unpack: False checks a kernel's headers only, and looks for causes and remedies only when that does not boot.
    findings: False never looks for them, which is faster. loader_memory: of whoever asks several times, so that a
    kernel is unpacked once. image_format, access: of all images, as for open_image(). keys: typed at PV-GRUB on a clock
    of their own; findings are about the image as it boots without them. ami_id: which image of the file that `ami`
    names, where it describes several. instance_type: of EC2, on which it is to run (`m1.small`): its memory is the
    domain's where `memory` is not given, and findings say what it does not run. ignore: ids of rules whose findings do
    not count, which are then in `ignored`; a mapping gives the reasons. Raises UsageError and ImageError; images are
    only read.
    """
    return boot_and_plan(
        image,
        unpack=unpack,
        findings=findings,
        timeout=timeout,
        loader_memory=loader_memory,
        ari=ari,
        keys=keys,
        disks=disks,
        device=device,
        aki=aki,
        pvgrub=pvgrub,
        arch=arch,
        config=config,
        ami=ami,
        image_format=image_format,
        access=access,
        memory=memory,
        ami_id=ami_id,
        instance_type=instance_type,
        ignore=ignore,
    )[0]


def boot_and_plan(
    image: str | os.PathLike[str] | Disk,
    *,
    unpack: bool = True,
    findings: bool = True,
    timeout: float | None = None,
    loader_memory: LoaderMemory | None = None,
    ari: str | None = None,
    keys: Iterable[Key] | None = None,
    ignore: Collection[str] | Mapping[str, str] = (),
    **options: Any,
) -> tuple[Verdict, Blueprint | None]:
    """The verdict as boot() gives it, and the plan with steps that can be carried out; None where there is none.

    Arguments and errors as for boot().
    """
    budget = Budget(seconds=timeout)
    reasons = _reasons(ignore)
    with ExitStack() as stack:
        if budget.timed:
            from pvgrub_sim.media.deadline import keep_to

            stack.callback(keep_to(budget))
        options = {**NO_OPTIONS, **options, "budget": budget}
        try:
            request = read_request(image, stack, **options)
        except GivenUp as error:
            return _not_opened(image, options, str(error)), None
        # Only now, and more of it where the image is being unpacked meanwhile.
        from pvgrub_sim.bootchain import run, run_auto
        from pvgrub_sim.model import Outcome
        from pvgrub_sim.xen.memory import LoaderMemory

        unpacking = [attached.disk for attached in request.disks if isinstance(attached.disk, Unpacks)]
        if unpacking:
            from pvgrub_sim.meanwhile import imports

            for _ in imports(findings):
                for disk in unpacking:
                    disk.store_ready()
        run_it = run_auto if request.any_arch else run
        known = loader_memory or LoaderMemory(budget)
        result = run_it(request.disks, request.profile, unpack=unpack, memory=known, console=_typed(keys), digests=True)
        verdict = _without_digests(result, request.disks[0].disk.name)._replace(attended=keys is not None)
        given = result.handed_over
        if not findings or (not unpack and verdict.boots_default) or verdict.outcome is Outcome.TIMEOUT:
            return _with_digests(verdict, given), None
        if keys is not None:
            # What is to be said of an image does not hang on what somebody types.
            result = run_it(request.disks, request.profile, unpack=unpack, memory=known)
        result.forget_files()
        known.budget = known.budget.renewed()
        sizes = [known_size(attached.disk) for attached in request.disks]
        advised, plan = _advised(verdict, result, request, ari, reasons)
        if sizes != [known_size(attached.disk) for attached in request.disks]:
            # One that was only likely has turned out to be another one while the findings were looked for.
            advised, plan = _advised(verdict, result, request, ari, reasons)
        verdict = advised
        return _with_digests(verdict, given), plan


def _not_opened(image: str | os.PathLike[str] | Disk, options: Mapping[str, Any], reason: str) -> Verdict:
    """The verdict where the time was over before the disks could be read at all."""
    from pvgrub_sim.media.sources import shown_source
    from pvgrub_sim.model import Outcome, ProfileInfo, Verdict
    from pvgrub_sim.profiles import choose_profile

    arch = None if options["arch"] == "auto" else options["arch"]
    profile = choose_profile(aki=options["aki"], pvgrub=options["pvgrub"], arch=arch, config=options["config"])
    name = shown_source(os.fspath(image)) if isinstance(image, (str, os.PathLike)) else image.name
    return Verdict(
        image=name,
        profile=ProfileInfo(profile.name, profile.arch, profile.aki, profile.device),
        outcome=Outcome.TIMEOUT,
        entry=None,
        default_entry=None,
        config=None,
        errors=(),
        kernel=None,
        initrd=None,
        cmdline=None,
        console="",
        reason=f"{reason}: the image was still being opened",
    )


def _reasons(ignore: Collection[str] | Mapping[str, str]) -> Mapping[str, str]:
    """The rules that do not count, each with the reason or an empty one; raises UsageError for one that is none."""
    if not ignore:
        return {}
    from pvgrub_sim.findings.examine import all_rules

    if unknown := next((name for name in ignore if name not in all_rules()), None):
        raise UsageError(f"there is no rule {unknown!r}: `pvgrub-sim explain` lists them")
    return ignore if isinstance(ignore, Mapping) else dict.fromkeys(ignore, "")


def _typed(keys: Iterable[Key] | None) -> Console:
    """Somebody who types the keys, in each run anew; nobody when there are none."""
    if keys is None:
        from pvgrub_sim.bootchain import nobody

        return nobody
    from pvgrub_sim.keys import TypedKeys

    typed = tuple(keys)
    return lambda: TypedKeys(typed)


def _advised(
    verdict: Verdict, result: Boot, request: Request, ari: str | None, reasons: Mapping[str, str]
) -> tuple[Verdict, Blueprint | None]:
    """The verdict with what was found and what is to be done, as far as it was within the budget.

    reasons: the rules that do not count.
    """
    from pvgrub_sim.findings.examine import diagnose, in_words_alone, worded
    from pvgrub_sim.findings.facts.case import Case
    from pvgrub_sim.model import IgnoredFinding
    from pvgrub_sim.survey.picture import layout, survey_disks

    plan: Blueprint | None = None
    left_out = ""
    try:
        surveys = survey_disks(request.disks)
        verdict = verdict._replace(layout=layout(surveys))
        case = Case(
            result,
            request.disks,
            ami=request.ami,
            ari=ari,
            aki_named=request.version_named,
            instance_types=request.instance_types,
            memory_named=request.memory_named,
            surveys=surveys,
        )
        diagnosed = diagnose(case, reasons)
        found = tuple(one for one in diagnosed if one.finding.rule not in reasons)
        ignored = tuple(one.finding for one in diagnosed if one.finding.rule in reasons)
        verdict = verdict._replace(ignored=tuple(IgnoredFinding(one, reasons[one.rule]) for one in ignored))
        left_out = result.left_out
        images = [attached.disk.name for attached in request.disks]
        verdict = verdict._replace(findings=worded(found, images))
        # What boots and has nothing that could be mended here does not pay for the search.
        nothing = (
            in_words_alone(found) if case.healthy else verdict.boots_default and not any(one.remedy for one in found)
        )
        if not left_out and not nothing:
            from pvgrub_sim.findings.plan.script import told
            from pvgrub_sim.findings.plan.search import find_plan

            plan = find_plan(case, found)
            verdict = verdict._replace(plan=told(plan, images))
    except GivenUp as error:
        left_out = str(error)
    if left_out:
        reason = f"{verdict.reason}; " if verdict.reason else ""
        verdict = verdict._replace(reason=f"{reason}not everything was looked at: {left_out}")
    return verdict, plan


def _with_details(errors: Iterable[BootError], result: Boot) -> Iterator[BootError]:
    """The errors, those of the kernel loader with what it had against the kernel."""
    refused = [tried for tried in result.tries if tried.error]
    for error in errors:
        first = refused[0] if refused else None
        if first and (error.menu, error.entry, error.number) == (first.menu, first.entry, first.error):
            yield error._replace(detail=refused.pop(0).reason)
        else:
            yield error


def _with_digests(verdict: Verdict, given: HandedOver | None) -> Verdict:
    """The verdict with the digests of what was handed over; waits for them, so that it comes last."""
    if given is None:
        return verdict
    digests = (verdict.kernel, given.kernel_digest), (verdict.initrd, given.module_digest)
    kernel, initrd = (
        file._replace(crc32=digest.crc32(), sha256=digest.hex()) if file else None for file, digest in digests
    )
    return verdict._replace(kernel=kernel, initrd=initrd)


def judge(result: Boot, image: str) -> Verdict:
    """The verdict on a run, without findings; image: the name of the first disk's image, for the report."""
    return _with_digests(_without_digests(result, image), result.handed_over)


def _without_digests(result: Boot, image: str) -> Verdict:
    from pvgrub_sim.model import LoadedFile, ProfileInfo, Verdict

    machine = result.machine
    profile = machine.profile
    kernel = initrd = None
    cmdline = None
    given = result.handed_over
    if given:
        kernel = LoadedFile(machine.kernel_path or "", given.kernel_size, 0, result.kernel_detail)
        if given.module_size:
            initrd = LoadedFile(machine.initrd_path or "", given.module_size, 0)
        cmdline = given.cmdline.decode("utf-8", "backslashreplace")
    return Verdict(
        image=image,
        profile=ProfileInfo(profile.name, profile.arch, profile.aki, profile.device),
        outcome=result.outcome,
        entry=machine.booted_entry,
        default_entry=machine.first_default_entry,
        config=machine.config_opened,
        errors=tuple(_with_details(machine.boot_errors, result)),
        kernel=kernel,
        initrd=initrd,
        cmdline=cmdline,
        console=machine.term.console(),
        writes=tuple(event.number for event in machine.events if event.kind == "write" and event.number is not None),
        events=tuple(machine.events),
        reason=result.reason,
        transcript=machine.term.raw(),
    )
