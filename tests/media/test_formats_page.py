"""docs/formats.md: every command and program on it is run, and what it prints is what stands below it."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import zipfile
from pathlib import Path

import pytest

from pvgrub_sim.cli import main
from pvgrub_sim.media.formats import FORMATS
from tests.images import unpack_sparse
from tests.media.containers import convert, create

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ pvgrub-sim ([^\n]*)\n```\n(?:\n```text\n(.*?)\n```)?", PAGE, re.S)
ELSEWHERE = {"gzip", "xz", "zstd", "bzip2", "lz4", "tar", "zip", "xva", "ova", "bundle"}
"""What stands on the page of sources."""


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    raw = unpack_sparse(ROOT / "fixtures" / "images" / "boots.img.zst", tmp_path / "base.img")
    convert(raw, folder / "base.vmdk", "vmdk")
    convert(raw, folder / "disk.qed", "qed")
    size = raw.stat().st_size
    monkeypatch.chdir(folder)
    create(Path("disk.qcow2"), "qcow2", size, backing=("base.vmdk", "vmdk"))
    create(Path("overlay.qcow2"), "qcow2", size, backing=("../base.img", "raw"))
    with zipfile.ZipFile("two.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("boots.img", "demo.img"):
            archive.write(unpack_sparse(ROOT / "fixtures" / "images" / f"{name}.zst", tmp_path / name), name)
    return folder


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_the_commands_print_what_is_shown(
    command: str, shown: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(shlex.split(command))
    out, err = capsys.readouterr()
    if shown.startswith("pvgrub-sim: "):
        assert (status, out, err) == (2, "", shown + "\n")
    elif shown:
        assert (status, err) == (0, "")
        assert out.startswith(shown)
    else:
        assert (status, err) == (0, "")


def test_the_program_prints_what_is_shown(images: Path) -> None:
    ((code, shown),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.S)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/formats.md", "exec"), {})
    assert out.getvalue() == shown


def test_every_format_is_on_the_page() -> None:
    assert {name for name in FORMATS if f"`{name}`" not in PAGE} <= ELSEWHERE
