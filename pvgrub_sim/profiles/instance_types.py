"""EC2's instance types, as far as PV-GRUB is concerned: which run paravirtual images, and with how much memory."""

from __future__ import annotations

import re
from functools import cache

from pvgrub_sim.errors import UsageError
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

SOURCES: Final = {
    "A": "AWS, DescribeInstanceTypes of January 2024, as moto 4.2.14 keeps it (moto/ec2/resources/instance_types.json)",
    "B": "AWS, User Guide of 2016, 'Linux AMI Virtualization Types' (docs.aws.amazon.com, virtualization_types.html); "
    "memory and width from AWS's price list of 2013 (gist.github.com/cesardv/8a14a5ff0bf5f9bbb175)",
    "C": "AWS, 'User Provided Kernels' (cluster types are HVM) and 'Linux AMI Virtualization Types'",
}  # fmt: skip
"""What the letters of the tables stand for."""

PARAVIRTUAL: Final = """
# type       MiB  architectures  source
t1.micro     627  i386 x86_64    A
m1.small    1740  i386 x86_64    A
m1.medium   3788  i386 x86_64    A
m1.large    7680  x86_64         A
m1.xlarge  15360  x86_64         A
m2.xlarge  17510  x86_64         A
m2.2xlarge 35020  x86_64         A
m2.4xlarge 70041  x86_64         A
m3.medium   3840  x86_64         A
m3.large    7680  x86_64         A
m3.xlarge  15360  x86_64         A
m3.2xlarge 30720  x86_64         A
c1.medium   1740  i386 x86_64    A
c1.xlarge   7168  x86_64         A
c3.large    3840  i386 x86_64    A
c3.xlarge   7680  x86_64         A
c3.2xlarge 15360  x86_64         A
c3.4xlarge 30720  x86_64         A
c3.8xlarge 61440  x86_64         A
hi1.4xlarge 61952 x86_64         B
hs1.8xlarge 119808 x86_64        B
"""
"""The types that run paravirtual images; all of them are of earlier generations."""

HVM_ONLY: Final = """
A a1 c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i d2 d3 d3en dl1 dl2q f1 g3 g3s
A g4ad g4dn g5 g5g h1 hpc6a hpc6id hpc7a hpc7g i2 i3 i3en i4g i4i im4gn inf1 inf2 is4gen m4 m5 m5a m5ad m5d m5dn
A m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex mac1 mac2 mac2-m2 mac2-m2pro p2 p3 p3dn
A p4d p5 r3 r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz t2 t3 t3a t4g
A trn1 trn1n u-12tb1 u-18tb1 u-24tb1 u-3tb1 u-6tb1 u-9tb1 vt1 x1 x1e x2gd x2idn x2iedn x2iezn z1d
C cc1 cc2 cg1 cr1 g2
"""
"""Families of types none of which runs paravirtual images, behind the letter of the source."""

_TYPE: Final = r"[a-z][a-z0-9-]{0,15}\.[a-z0-9-]{1,15}"
_PATTERN: Final = r"[A-Za-z0-9_.*-]{1,24}"
"""What AWS lets an AMI's list of instance types hold (InstanceTypeSpecificationRequest): names, `*` for anything."""


class InstanceType(NamedTuple):
    """A type that runs paravirtual images. memory: MiB. arches: widths of kernel that it runs. source: who says so."""

    name: str
    memory: int
    arches: tuple[str, ...]
    source: str


@cache
def paravirtual() -> dict[str, InstanceType]:
    """The types that run paravirtual images, by name."""
    rows = [line.split() for line in PARAVIRTUAL.split("\n") if line and not line.startswith("#")]
    found = [InstanceType(name, int(memory), tuple(rest[:-1]), SOURCES[rest[-1]]) for name, memory, *rest in rows]
    return {row.name: row for row in found}


@cache
def hvm_only() -> dict[str, str]:
    """The families that run HVM images only, and who says so."""
    rows = [line.split() for line in HVM_ONLY.split("\n") if line]
    return {family: SOURCES[letter] for letter, *families in rows for family in families}


def check_instance_type(name: str) -> None:
    """Raise UsageError for what is no instance type's name, or is a size that a family of the table does not have."""
    family = name.partition(".")[0]
    sizes = [known for known in paravirtual() if known.startswith(f"{family}.")]
    if not re.fullmatch(_TYPE, name):
        raise UsageError(f"{name!r} is not the name of an instance type (m1.small, say)")
    if sizes and name not in sizes:
        raise UsageError(f"there is no instance type {name}; of {family} there are {', '.join(sizes)}")


def that_run(names: tuple[str, ...]) -> tuple[InstanceType, ...]:
    """The paravirtual types that names stand for, in which `*` is anything."""
    wanted = [name.replace(".", r"\.").replace("*", ".*") for name in names if re.fullmatch(_PATTERN, name)]
    return tuple(row for row in paravirtual().values() if any(re.fullmatch(one, row.name) for one in wanted))


def are_known(names: tuple[str, ...]) -> bool:
    """True when the tables have all families of the names."""
    families = hvm_only().keys() | {name.partition(".")[0] for name in paravirtual()}
    return all(name.partition(".")[0] in families for name in names)
