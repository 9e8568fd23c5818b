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
        "another kernel of CentOS 6: one from before it, or the newest",
        "unix.stackexchange.com question 415767",
    ),
    KernelTrouble(
        # From CoreOS 1214.0.0 on, and reported on 2 December 2016, when 4.8.11 was the newest.
        r"4\.8\.(?:[4-9]|1[01])-coreos",
        "panics in rapl_cpu_online as a paravirtual guest on EC2",
        "the kernel before it (4.7), or 4.9.9 and later",
        "github.com/coreos/bugs issue 1690",
    ),
    KernelTrouble(
        r"4\.9\.0-coreos",
        "panics with 'unable to handle kernel paging request' as a paravirtual guest on EC2",
        "CoreOS's 4.9.9 (github.com/coreos/linux pull request 41), or a later one",
        "github.com/coreos/bugs issue 1716",
    ),
    KernelTrouble(
        r"4\.15\.\d+-coreos.*",
        "fails to boot as a paravirtual guest on EC2",
        "CoreOS's 4.14",
        "github.com/coreos/coreos-overlay pull request 3064",
    ),
)


def trouble_of(release: str) -> KernelTrouble | None:
    """What is known against a release."""
    import re

    return next((row for row in KERNEL_TROUBLES if re.fullmatch(row.releases, release)), None)
