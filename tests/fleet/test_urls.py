"""Images on web servers in a scan: their addresses may hold passwords and signatures, which are kept nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.cli import main
from pvgrub_sim.media.sources import kept_source
from tests.fleet.fleets import stored
from tests.media.web import WebServer, serving

FORMATS = ("text", "html", "jsonl", "csv", "junit", "sarif")


@pytest.fixture
def words(small: Path) -> list[str]:
    return ["boots.img?sig=secret-1", "boots.img?sig=secret-2", "nothing.img?sig=secret-3", "demo.img"]


def addresses(server: WebServer, words: list[str]) -> list[str]:
    return [server.url(word).replace("http://", "http://user:secret-0@") for word in words]


def test_no_secret_of_an_address_is_kept_or_told(
    small: Path, words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "scan.db"
    with serving(small) as server:
        images = [*addresses(server, words), "http://user:secret-4@/x"]
        main(["scan", *images, "--store", str(store), "--jobs", "1"])
        first = {result.source for result in stored(store)}
        main(["scan", *images, "--store", str(store), "--jobs", "1"])
    assert {result.source for result in stored(store)} == first
    assert len(first) == len(images), "two queries are two images"
    for format_ in FORMATS:
        main(["fleet", str(store), "--format", format_])
    told = "".join(capfd.readouterr())
    assert "boots.img?…" in told
    assert "secret" not in told
    assert b"secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_new_password_is_no_new_image() -> None:
    one, other = (kept_source(f"https://user:{word}@example.org/a.img?id=7#part") for word in ("one", "two"))
    assert one == other
    assert kept_source("https://example.org/a.img?id=8") != one
    assert kept_source("https://example.org/a.img") == "https://example.org/a.img"
