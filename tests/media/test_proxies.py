"""Proxies, as the environment names them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import open_image
from pvgrub_sim.cli import main
from tests.media.web import WebServer, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    """A proxy and a web server."""
    (tmp_path / "disk.img").write_bytes(b"no proxy" * 1000)
    (tmp_path / "http:" / "images.example").mkdir(parents=True)
    (tmp_path / "http:" / "images.example" / "disk.img").write_bytes(b"by proxy" * 1000)
    with serving(tmp_path) as made:
        yield made


def test_a_proxy_is_asked_where_the_environment_names_one(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    disk = open_image("http://images.example/disk.img")
    assert disk.read(0, 8) == b"by proxy"
    assert server.asked[0][0] == "http://images.example/disk.img"
    disk.close()


def test_a_proxy_is_told_who_asks_and_the_server_is_not(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{server.server_port}")
    open_image("http://images.example/disk.img").close()
    assert server.headers_seen[-1]["Proxy-Authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    open_image(server.url("disk.img")).close()
    assert "Proxy-Authorization" not in server.headers_seen[-1]


@pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:1", "http://user:secret@[::1", "http://h:99999"])
def test_a_proxy_that_is_none_is_one_line(
    proxy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    assert main(["boot", "http://images.example/disk.img"]) == 2
    said = capsys.readouterr().err
    assert "proxy" in said and "secret" not in said and said.count("\n") == 1
