"""Parents that an image names several times: another name is tried only where there is nothing under the first."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.formats import beside
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.ondisk.crc32c import crc32c
from tests.media.containers import create
from tests.media.writers import crc32c as plain_crc32c
from tests.media.writers import write_differencing_vhd, write_differencing_vhdx

MIB = 1 << 20


def vhdx_chain(folder: Path) -> Path:
    """Eight files, each of which names the next one by two names; the last one's parent is not there."""
    for number in range(8):
        write_differencing_vhdx(
            folder / f"{number}.vhdx", folder / f"{number + 1}.vhdx", 4 * MIB, {}, whole=set(), zero=set(),
            linkage=uuid.UUID(int=number),
        )  # fmt: skip
    return folder / "0.vhdx"


def vhd_chain(folder: Path) -> Path:
    """The same of files that have a name in a locator and another one in the header."""
    create(folder / "8.vhd", "vhd", 4 * MIB)
    for number in range(7, -1, -1):
        name = f"{number + 1}.vhd"
        write_differencing_vhd(folder / f"{number}.vhd", folder / name, {}, locator=f".\\x\\..\\{name}")
    (folder / "x").mkdir()
    (folder / "8.vhd").unlink()
    return folder / "0.vhd"


@pytest.mark.parametrize("chain", [vhdx_chain, vhd_chain])
def test_a_chain_is_gone_down_once(chain: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(chain)
    image = chain(tmp_path)
    opened: list[str] = []

    class Counted(RawDisk):
        def __init__(self, path: str) -> None:
            opened.append(Path(path).name)
            super().__init__(path)

    monkeypatch.setattr(beside, "RawDisk", Counted)
    with pytest.raises(ImageError, match=r"7\.vhdx?: parent '\S+': (the chain of files|no such file)"):
        open_disk(str(image))
    assert opened == [f"{number}{image.suffix}" for number in range(1, 8)]


def test_another_name_is_tried_where_nothing_is_under_the_first(tmp_path: Path) -> None:
    create(tmp_path / "base.vhd", "vhd", 4 * MIB)
    image = tmp_path / "top.vhd"
    for locator in (".\\moved.vhd", "..\\base.vhd"):
        write_differencing_vhd(image, tmp_path / "base.vhd", {}, locator=locator)
        disk = open_disk(str(image))
        assert disk.read(0, MIB) == bytes(MIB)
        disk.close()


def test_what_is_amiss_with_a_parent_is_said(tmp_path: Path) -> None:
    create(tmp_path / "base.vhd", "vhd", 4 * MIB)
    write_differencing_vhd(tmp_path / "top.vhd", tmp_path / "base.vhd", {}, locator=".\\damaged.vhd")
    (tmp_path / "damaged.vhd").write_bytes(bytes(4096))
    with pytest.raises(ImageError, match=r"damaged\.vhd at offset \d+: damaged vhd image"):
        open_disk(str(tmp_path / "top.vhd"))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 70_001, 1 << 20, (1 << 20) + 4099])
def test_checksums_of_any_length(size: int) -> None:
    data = (struct.pack("<Q", size) * (size // 4 + 1))[1 : size + 1] + bytes(size % 100)
    assert crc32c(data) == plain_crc32c(data)


def test_what_is_long_is_looked_at_many_bytes_at_a_time() -> None:
    class Steps(bytes):
        taken = 0

        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]  # numbers are not asked for
            assert isinstance(key, slice)
            Steps.taken += 1
            return Steps(super().__getitem__(key))

        def __iter__(self) -> object:  # type: ignore[override]  # steps are counted
            for byte in super().__iter__():
                Steps.taken += 1
                yield byte

    data = b"\xff" * MIB
    assert crc32c(Steps(data)) == plain_crc32c(data)
    assert Steps.taken < 20_000
