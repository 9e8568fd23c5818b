"""Configurations of domains that are long rather than large: seconds, and one line that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.limits import limited

KERNEL = 'kernel = "pv-grub-x86_64.gz"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("".join(f'disk += ["{number}"]\n' for number in range(50_000)), b"has 50000 disks"),
        ('extra = "' + "x" * 400_000 + '"\n' + 'extra += "x"\n' * 40_000, b"no disk"),
        ("disk = ['" + "file:" * 180_000 + "']\n", b"more than 16384 characters"),
        ("memory = " + "9" * 900_000 + "\n", b"wants a number"),
        ("disk = " + "[" * 900_000 + "\n", b"lists within lists"),
    ],
    ids=["disks", "texts", "prefixes", "digits", "brackets"],
)
def test_a_configuration_of_a_domain(text: str, told: bytes, tmp_path: Path) -> None:
    path = tmp_path / "guest.cfg"
    path.write_text(KERNEL + text)
    run = limited(["boot", "--xl-config", str(path)], seconds=6, mib=200)
    assert run.status == 2
    assert told in run.err
    assert run.err.count(b"\n") <= 1 and len(run.err) < 9000


def test_a_message_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    run = limited(["boot", str(tmp_path / ("a" * 100_000 + "z"))])
    assert run.status == 2
    assert run.err.startswith(b"pvgrub-sim: /") and "…".encode() in run.err
    assert run.err.endswith(b"z: file name too long\n") and len(run.err) < 9000
