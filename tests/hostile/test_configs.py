"""Configurations of other boot loaders that grow when they are read: variables, and one file under many names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hostile.limits import limited
from tests.kernel_images import Elf
from tests.tools import run

VALUE = b'set a="' + b"A" * 1_000_000 + b'"\n'
SNIPPET = b"title x\nlinux /boot/vmlinuz-6.1\noptions " + b"$a" * 30_000 + b"\n"


def image_with(files: dict[str, bytes], names: list[str], folder: Path) -> Path:
    """An ext2 image with a kernel and these files; names: more names of the first of them."""
    tree = folder / "tree"
    for path, data in {"boot/vmlinuz-6.1": Elf().build(), "etc/fstab": b"", "sbin/init": b"", **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(tree / next(iter(files)), tree / name)
    image = folder / "disk.img"
    run("mke2fs", "-q", "-t", "ext2", "-b", "4096", "-I", "128", "-L", "root", "-d", tree, image, "24M")
    return image


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"boot/grub/grub.cfg": VALUE, "boot/loader/entries/x.conf": SNIPPET}, []),
        ({"boot/grub/grub.cfg": VALUE[:500_000] + b'"\n' + b"linux x $a$a\n" * 40_000}, []),
        (
            {"EFI/a/grub.cfg": b"linux x y\n" * 100_000},
            [f"EFI/{number}/{name}" for number in range(64) for name in ("grub.cfg", "menu.lst", "grubenv")],
        ),
    ],
    ids=["snippet", "entries", "names"],
)
def test_what_a_configuration_grows_to_is_bounded(files: dict[str, bytes], names: list[str], tmp_path: Path) -> None:
    words = ["boot", "--format", "json", str(image_with(files, names, tmp_path))]
    done = limited(words, seconds=10, mib=200)
    assert done.status == 1
    assert "not everything was looked at" in json.loads(done.out)["reason"]


def test_a_configuration_of_the_usual_size_is_read(tmp_path: Path) -> None:
    files = {"boot/grub/grub.cfg": b"set a=quiet\n" + b"linux /boot/vmlinuz-6.1 root=LABEL=root ro $a\n" * 400}
    done = limited(["boot", str(image_with(files, [], tmp_path))])
    assert b"kernel /boot/vmlinuz-6.1 root=LABEL=root ro quiet" in done.out
