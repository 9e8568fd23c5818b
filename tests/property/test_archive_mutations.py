"""Hostile streams, archives, machines and bundles: one line or right bytes, and nothing else."""

from __future__ import annotations

import random
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvgrub_sim import Access, open_image
from pvgrub_sim.errors import PvgrubSimError
from tests.media.machines import make_key, write_bundle, write_ova, write_xva
from tests.rounds import rounds
from tests.tools import run

MIB = 1 << 20


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small one of each kind."""
    folder = tmp_path_factory.mktemp("hostile")
    raw = folder / "disk.raw"
    rng = random.Random(4)
    with raw.open("wb") as file:
        for at in range(0, 2 * MIB, 400_000):
            file.seek(at)
            file.write(rng.randbytes(3000))
        file.truncate(2 * MIB)
    made: dict[str, Callable[[Path], object]] = {
        "ova": lambda path: write_ova(path, [(0, raw)]),
        "xva": lambda path: write_xva(path, [("0", "Ref:3", raw.read_bytes())]),
        "tar": lambda path: run("tar", "-C", folder, "--format=oldgnu", "-Scf", path, "disk.raw"),
        "pax": lambda path: run("tar", "-C", folder, "--format=pax", "-Scf", path, "disk.raw"),
        "zip": lambda path: run("python3", "-m", "zipfile", "-c", path, raw),
    }
    found: dict[str, bytes] = {}
    for name, make in made.items():
        make(folder / f"file.{name}")
        found[name] = (folder / f"file.{name}").read_bytes()
    for tool in ("gzip", "xz", "zstd", "bzip2", "lz4"):
        found[tool] = run(tool, "-c", raw)
    _, certificate = make_key(folder)
    found["bundle"] = write_bundle(folder, raw, certificate).read_bytes()
    return found


def opened(path: Path, data: bytes) -> None:
    """Read some of what can be read, within little memory; every error is one of ours and one line."""
    path.write_bytes(data)
    try:
        disk = open_image(path, access=Access(spool_limit=64 * MIB))
        try:
            for offset in (0, disk.size // 2, max(disk.size - 512, 0)):
                disk.read(offset, min(512, disk.size - offset))
        finally:
            disk.close()
    except PvgrubSimError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("kind", ["ova", "xva", "tar", "pax", "zip", "gzip", "xz", "zstd", "bzip2", "lz4", "bundle"])
def test_mutations(kind: str, files: dict[str, bytes], tmp_path: Path) -> None:
    original = files[kind]
    heads = list(range(min(len(original), 8192))) + list(range(max(len(original) - 300, 0), len(original)))

    @settings(max_examples=rounds(60, otherwise=8), deadline=None)
    @given(st.data())
    def mutated(data: st.DataObject) -> None:
        spoiled = bytearray(original)
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.sampled_from(heads))
            piece = data.draw(st.sampled_from((b"\xff" * 8, b"7" * 11, b"\x80" + b"\xff" * 11, b"\0" * 8, b"../" * 4)))
            spoiled[at : at + len(piece)] = piece
        opened(tmp_path / "disk", bytes(spoiled))

    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    mutated()
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


@pytest.mark.parametrize("tool", ["gzip", "xz", "zstd", "bzip2", "lz4"])
def test_a_bomb_ends_at_the_limit_in_little_memory(tool: str, tmp_path: Path) -> None:
    # 512 MiB of zeros, packed once and put together, so that it is made quickly.
    piece = run(tool, "-c", stdin=bytes(32 * MIB))
    tracemalloc.start()
    opened(tmp_path / "disk", piece * 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20


def test_xml_with_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    for text in (f"<?xml version='1.0'?>{bomb}<manifest>&b;</manifest>", "<manifest>" + "<a>" * 100_000):
        (tmp_path / "disk").write_text(text.ljust(4096))
        with pytest.raises(PvgrubSimError) as caught:
            open_image(tmp_path / "disk", image_format="bundle")
        assert "\n" not in str(caught.value)
