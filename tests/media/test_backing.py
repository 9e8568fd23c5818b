"""Files that an image names are opened only where the user's own request covers them."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvgrub_sim import Access, open_image
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import layers_of, open_disk
from tests.media.containers import MIB, create, scribble
from tests.media.writers import write_differencing_vhd, write_differencing_vhdx

Name = Callable[[Path, str], Path]
"""Makes an image in a folder that names a file."""


def qcow2(folder: Path, name: str) -> Path:
    image = create(folder / "disk.qcow2", "qcow2", MIB)
    raw = bytearray(image.read_bytes())
    named = name.encode()
    raw[8:20] = struct.pack(">QI", 4096, len(named))
    raw[4096 : 4096 + len(named)] = named
    image.write_bytes(raw)
    return image


def qcow2_data_file(folder: Path, name: str) -> Path:
    image = create(folder / "disk.qcow2", "qcow2", MIB, f"data_file={folder}/data")
    raw = image.read_bytes()
    old = f"{folder}/data".encode()
    named = name.encode()
    head = 8 + len(old) + (-len(old) % 8)
    at = raw.index(b"DATA" + struct.pack(">I", len(old)))
    extension = b"DATA" + struct.pack(">I", len(named)) + named + bytes(-len(named) % 8)
    image.write_bytes(raw[:at] + extension + raw[at + head : 65536 - len(extension) + head] + raw[65536:])
    return image


def vmdk_extent(folder: Path, name: str) -> Path:
    image = folder / "disk.vmdk"
    text = f'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\nRW 16 FLAT "{name}" 0\n'
    image.write_bytes(text.encode())
    return image


def vmdk_parent(folder: Path, name: str) -> Path:
    create(folder / "base", "vmdk", MIB)
    image = create(folder / "disk.vmdk", "vmdk", MIB, backing=(str(folder / "base"), "vmdk"))
    raw = image.read_bytes()
    old = f'parentFileNameHint="{folder}/base"'.encode()
    hint = f'parentFileNameHint="{name}"'.encode()
    at = raw.index(old)
    rest = raw[at + len(old) : 10240]
    text = (raw[512:at] + hint + rest.rstrip(b"\0")).ljust(10240 - 512, b"\0")
    image.write_bytes(raw[:512] + text[: 10240 - 512] + raw[10240:])
    return image


def vhd_parent(folder: Path, name: str) -> Path:
    create(folder / "base", "vhd", MIB, "force_size=on")
    write_differencing_vhd(folder / "disk.vhd", folder / "base", {1: bytes(512)}, locator=name)
    (folder / "base").unlink()
    return folder / "disk.vhd"


MAKERS: dict[str, Name] = {
    "qcow2": qcow2,
    "qcow2 data file": qcow2_data_file,
    "VMDK extent": vmdk_extent,
    "VMDK parent": vmdk_parent,
    "VHD parent": vhd_parent,
}

BAD_NAMES = {
    "/etc/passwd": "lies outside",
    "../secret": "lies outside",
    "sub/../../secret": "lies outside",
    "/dev/zero": "lies outside",
    "/proc/self/mem": "lies outside",
    "link": "lies outside",
    "folder/link": "lies outside",
    "json:{'driver': 'host_device', 'filename': '/dev/sda'}": "is an address",
    "http://example.org/disk": "is an address",
    "nbd:127.0.0.1:10809": "is an address",
    "fifo": "is no regular file",
    "folder": "is no regular file",
    "absent": "no such file",
    "a\x1b[31mb": "no such file",
    "A" * 900: "file name too long",
}


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The files that are opened while the list is looked at, by an audit hook."""
    names: list[str] = []
    _listeners.append(names)
    yield names
    _listeners.remove(names)


_listeners: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _listeners and isinstance(arguments[0], (str, bytes, os.PathLike)):
        for names in _listeners:
            names.append(os.fsdecode(arguments[0]))


sys.addaudithook(_audit)


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: name[:20].encode("unicode_escape").decode())
@pytest.mark.parametrize("maker", MAKERS)
def test_what_lies_elsewhere_is_not_opened(maker: str, name: str, tmp_path: Path, opened: list[str]) -> None:
    folder = tmp_path / "images"
    (folder / "folder").mkdir(parents=True)
    (folder / "sub").mkdir()
    (tmp_path / "secret").write_bytes(bytes(MIB))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder" / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    image = MAKERS[maker](folder, name)
    opened.clear()
    with pytest.raises(ImageError) as caught:
        open_disk(str(image))
    # Modules that are imported meanwhile, and the bytecode that is written of them, are none of the image's.
    own = [path for path in opened if path.startswith(sys.prefix) or "/__pycache__/" in path]
    found = [path for path in opened if path not in own and not path.endswith((".py", ".so"))]
    assert set(found) <= {str(image)}
    assert str(image) in str(caught.value)
    assert BAD_NAMES[name] in str(caught.value)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_folder_that_is_allowed_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "images").mkdir()
    base = create(tmp_path / "bases" / "base", "qcow2", MIB)
    scribble(base, "qcow2", MIB, "base")
    image = create(tmp_path / "images" / "disk", "qcow2", MIB, backing=(str(base), "qcow2"))
    with pytest.raises(ImageError, match="lies outside of the image's folder"):
        open_image(image)
    disk = open_image(image, access=Access(allow_backing=(str(tmp_path / "bases"),)))
    assert [layer.format for layer in layers_of(disk)] == ["qcow2", "qcow2"]
    disk.close()


def test_a_relative_name_is_looked_for_in_allowed_folders_too(tmp_path: Path) -> None:
    for name in ("bases", "images"):
        (tmp_path / name).mkdir()
    create(tmp_path / "bases" / "base", "qcow2", MIB)
    image = create(tmp_path / "images" / "disk", "qcow2", MIB, backing=("../bases/base", "qcow2"))
    disk = open_image(image, access=Access(allow_backing=(str(tmp_path / "bases"),)))
    assert [layer.format for layer in layers_of(disk)] == ["qcow2", "qcow2"]
    disk.close()


def chain(folder: Path, length: int) -> Path:
    create(folder / "0", "qcow2", MIB)
    for number in range(1, length):
        create(folder / str(number), "qcow2", MIB, backing=(str(number - 1), "qcow2"))
    return folder / str(length - 1)


def test_a_chain_of_eight_is_read_and_one_of_nine_is_not(tmp_path: Path) -> None:
    disk = open_disk(str(chain(tmp_path, 8)))
    assert len(layers_of(disk)) == 8
    disk.close()
    with pytest.raises(ImageError, match="more than 8 deep"):
        open_disk(str(chain(tmp_path, 9)))


def test_circles_are_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="leads back to a file of the same chain"):
        open_disk(str(qcow2(tmp_path, "disk.qcow2")))
    (tmp_path / "other").hardlink_to(tmp_path / "disk.qcow2")
    with pytest.raises(ImageError, match="leads back"):
        open_disk(str(qcow2(tmp_path, "other")))
    with pytest.raises(ImageError, match="leads back"):
        open_disk(str(vmdk_extent(tmp_path, "disk.vmdk")))
    create(tmp_path / "base.vhdx", "vhdx", MIB)
    write_differencing_vhdx(tmp_path / "top.vhdx", tmp_path / "base.vhdx", MIB, {}, whole=set(), zero=set())
    (tmp_path / "base.vhdx").unlink()
    (tmp_path / "base.vhdx").symlink_to("top.vhdx")
    with pytest.raises(ImageError, match="leads back"):
        open_disk(str(tmp_path / "top.vhdx"))


def test_nothing_stays_open_when_a_parent_is_missing(tmp_path: Path) -> None:
    image = chain(tmp_path, 4)
    (tmp_path / "0").unlink()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ImageError, match="no such file"):
        open_disk(str(image))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
