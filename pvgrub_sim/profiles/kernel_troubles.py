"""Linux kernels of which public reports say that they die as paravirtual guests: a report for each row."""

from __future__ import annotations

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple


class KernelTrouble(NamedTuple):
    """Trouble with some releases.

    releases: a regular expression that their names match as a whole. what: happens, in words. instead: what to take.
    source: who said so, and where.
    """

    releases: str
    what: str
    instead: str
    source: str


KERNEL_TROUBLES: Final = (
    KernelTrouble(
        r"2\.6\.32-696\.18\.7\.el6\..*",
        "goes silent right after the handover as a paravirtual guest on EC2",
        "an older kernel of CentOS 6 (2.6.32-696.16.1 or before), or a later one",
        "unix.stackexchange.com question 415767",
    ),
    KernelTrouble(
        r"4\.8\.\d+-coreos.*",
        "panics in rapl_cpu_online as a paravirtual guest on EC2",
        "the kernel before it (4.7, CoreOS 1192), or a later one",
        "github.com/coreos/bugs issue 1690",
    ),
    KernelTrouble(
        r"4\.9\.0-coreos.*",
        "panics with 'unable to handle kernel paging request' as a paravirtual guest on EC2",
        "a later kernel",
        "github.com/coreos/bugs issue 1716",
    ),
)


def trouble_of(release: str) -> KernelTrouble | None:
    """What is known against a release."""
    import re

    return next((row for row in KERNEL_TROUBLES if re.fullmatch(row.releases, release)), None)
