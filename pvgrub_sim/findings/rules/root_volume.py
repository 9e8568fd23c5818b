"""What the root volume says of its own start, once the kernel has mounted it."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.place import Place
    from pvgrub_sim.findings.facts.starts import Start


def _root(case: Case) -> tuple[Start, Place] | None:
    """The kernel that starts, and the volume that it mounts, where the survey reads it and it has a system."""
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    if start is None:
        return None
    from pvgrub_sim.findings.facts.root import has_system
    from pvgrub_sim.findings.facts.root_spec import root_place

    place = root_place(case, start)
    return (start, place) if place is not None and place.reader is not None and has_system(place) else None


@rule(
    "fstab-device-missing",
    Severity.NOTE,
    "A device in fstab that the kernel will not have, or a root without an init",
    """
A line of `/etc/fstab` whose device never comes holds up the start: systemd waits a minute and a half and gives a shell
for repairs, Ubuntu's mountall waits for a key. The rule speaks of names that this kernel gives no disk, and of
partitions that a disk does not have; disks that were not given are not known, and `noauto` or `nofail` do no harm.
A root without any `/sbin/init` ends in `No working init found`.

**Remedy.** `LABEL=` or `UUID=` in fstab, or `nofail` in the options of the line.

**Source.** fstab(5); systemd.mount(5); Linux, `init/main.c:kernel_init`.
""",
    outside=True,
)
def fstab_device(case: Case) -> Iterator[Draft]:
    found = _root(case)
    if found is None:
        return
    from pvgrub_sim.findings.facts.root_files import has_init, lost_mounts
    from pvgrub_sim.findings.facts.where import Where
    from pvgrub_sim.findings.remedies.steps import advice

    start, place = found
    for mount, why in lost_mounts(case, start, place):
        yield Draft(
            f"{place.device}/etc/fstab mounts {mount.device} at {mount.point}, which is {why}.",
            advice(f"on the root volume, in line {mount.number} of /etc/fstab: LABEL= or UUID=, or the option nofail"),
            Where(place.device, "/etc/fstab", line=mount.number),
        )
    if not has_init(start, place):
        yield Draft(
            f"The root {place.device} has no init: the kernel ends in 'No working init found'.", (), place.where
        )


@rule(
    "console-without-getty",
    Severity.NOTE,
    "Nobody waits for a login on Xen's console",
    """
What the kernel prints comes to the console by itself; a login prompt comes from a getty there. systemd starts one for
the console that the kernel has; SysV's init wants a line for `hvc0` (`xvc0` with XenSource's old tree) in
`/etc/inittab`, upstart a job. Without it a person at the console (`xl console`) sees no prompt. On EC2 nobody can type
there, and the rule is silent.

**Remedy.** In `/etc/inittab`: `h0:2345:respawn:/sbin/getty 38400 hvc0`; and `hvc0` in `/etc/securetty` for root.

**Source.** inittab(5); systemd-getty-generator(8).
""",
    outside=True,
)
def console_without_getty(case: Case) -> Iterator[Draft]:
    # On EC2 nobody can type at the console.
    found = None if case.amazon else _root(case)
    if found is None:
        return
    from pvgrub_sim.findings.facts.root_files import has_getty
    from pvgrub_sim.findings.facts.where import Where
    from pvgrub_sim.findings.remedies.steps import advice

    start, place = found
    if not has_getty(start, place):
        yield Draft(
            f"Neither inittab nor upstart's jobs on {place.device} start a getty on hvc0: nobody can log in there.",
            advice("in /etc/inittab of the root: h0:2345:respawn:/sbin/getty 38400 hvc0"),
            Where(place.device, "/etc/inittab" if place.is_file("/etc/inittab") else "/etc/init"),
        )
