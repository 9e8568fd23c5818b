"""Options of a scan that say how an image is reached: its workers have them, and a result is kept for these only."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import ScanSettings, local_engine, scan
from pvgrub_sim.cli import main
from tests.fleet.fleets import stored
from tests.media.machines import make_key, write_bundle
from tests.media.web import serving
from tests.tools import run


def scanned(tmp_path: Path, *words: str | Path) -> int:
    return main(["scan", "--store", str(tmp_path / "scan.db"), "--jobs", "1", "--quiet", *map(str, words)])


def test_a_backing_file_elsewhere(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "over" / "lay.qcow2"
    overlay.parent.mkdir()
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", small / "boots.img", "-F", "raw", overlay)
    assert scanned(tmp_path, overlay) == 2
    (row,) = stored(tmp_path / "scan.db")
    assert "--allow-backing" in row.error
    monkeypatch.chdir(small.parent)
    assert scanned(tmp_path, overlay, "--allow-backing", small.name) == 0
    capsys.readouterr()
    assert scanned(tmp_path, overlay, "--allow-backing", small) == 0
    assert "1 unchanged" in capsys.readouterr().out, "the folder is the same one"
    assert scanned(tmp_path, overlay) == 2, "what one option has let in is not kept for whoever does not give it"


def test_the_key_of_a_bundle(small: Path, tmp_path: Path) -> None:
    key, certificate = make_key(tmp_path)
    manifest = write_bundle(tmp_path, small / "boots.img", certificate)
    assert scanned(tmp_path, manifest) == 2
    (row,) = stored(tmp_path / "scan.db")
    assert "--bundle-key" in row.error
    assert scanned(tmp_path, manifest, "--bundle-key", key) == 0


def test_the_format_and_how_much_is_unpacked(small: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk"
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", small / "boots.img", image)
    assert scanned(tmp_path, image) == 0
    assert scanned(tmp_path, image, "--image-format", "raw") == 1
    image.write_bytes(run("gzip", "-c", small / "boots.img"))
    assert scanned(tmp_path, image, "--spool-limit", "100K") == 2
    (row,) = stored(tmp_path / "scan.db")
    assert "--spool-limit" in row.error
    assert scanned(tmp_path, image) == 0


def test_what_is_fetched_is_kept(small: Path, tmp_path: Path) -> None:
    cache = tmp_path / "made" / "cache"
    with serving(small) as server:
        assert scanned(tmp_path, server.url("boots.img"), "--cache", cache) == 0
    assert [file for file in cache.rglob("*") if file.is_file()]


def test_a_format_that_is_none_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scanned(tmp_path, "x.img", "--image-format", "qcow9") == 2
    assert "unknown image format 'qcow9'" in capsys.readouterr().err


def test_settings_are_told_apart_by_what_changes_a_verdict(small: Path, tmp_path: Path) -> None:
    known = {ScanSettings().decisive}
    for settings in (
        ScanSettings(image_format="raw"),
        ScanSettings(allow_backing=("/a",)),
        ScanSettings(allow_backing=("/a", "/b")),
        ScanSettings(spool_limit=1 << 30),
        ScanSettings(key="/key"),
    ):
        assert settings.decisive not in known
        known.add(settings.decisive)
    assert ScanSettings(cache="/cache").decisive == ScanSettings().decisive == ""
    store, other = tmp_path / "scan.db", ScanSettings(image_format="raw")
    assert scan([small], store=store, engine=local_engine(1)).looked == 6
    assert scan([small], store=store, engine=local_engine(1), settings=other).looked == 6
    assert scan([small], store=store, engine=local_engine(1), settings=other).looked == 0
