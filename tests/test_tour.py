"""The tour and the worked examples: every command of the two pages is run, and prints what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.debian_kernels import debian_kernel
from tests.kernel_images import Elf, bzimage, pack_gzip, payload
from tests.tools import require
from tests.walk import problems, steps, walk

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INITRD = b"070701" + b"an initrd in name only\n" * 40
TOOLS = ("mke2fs", "e2fsck", "resize2fs", "debugfs", "sfdisk")


def environment(**changed: str) -> dict[str, str]:
    search = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": search, "LC_ALL": "C.UTF-8", **changed}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout; skipped outside CI where what builds it cannot be had."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"no wheel could be built: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def debian_as_zstd() -> bytes:
    """Debian's kernel, its payload packed with zstd as other distributions do."""
    from pvgrub_sim import extract_kernel

    elf = bytes(extract_kernel(debian_kernel("linux-image-cloud-amd64")))
    return bzimage(payload("zstd", elf), text=b"6.1.0-cloud-amd64 #1")


def test_tour(debian_as_zstd: bytes, wheel: Path, tmp_path: Path) -> None:
    for tool in TOOLS:
        require(tool)
    (tmp_path / wheel.name).symlink_to(wheel)
    (tmp_path / "vmlinuz").write_bytes(debian_as_zstd)
    (tmp_path / "initrd.img").write_bytes(INITRD)
    # The interpreter below the environment that the tests run in: the page makes one of its own.
    path = os.pathsep.join([str(Path(sys.base_prefix) / "bin"), environment()["PATH"]])
    done = walk(DOCS / "tour.md", tmp_path, environment(PATH=path))
    assert not problems(done), "\n\n".join(problems(done))


def test_worked_examples(tmp_path: Path) -> None:
    for tool in TOOLS:
        require(tool)
    (tmp_path / "vmlinuz").write_bytes(bzimage(pack_gzip(Elf().build())))
    (tmp_path / "vmlinuz-xz").write_bytes(bzimage(payload("xz", Elf().build())))
    (tmp_path / "initrd.img").write_bytes(INITRD)
    path = os.pathsep.join([str(Path(sys.executable).parent), environment()["PATH"]])
    done = walk(DOCS / "findings.md", tmp_path, environment(PATH=path))
    assert not problems(done), "\n\n".join(problems(done))


def test_pages_have_commands() -> None:
    assert len(steps(DOCS / "tour.md")) >= 8
    assert len(steps(DOCS / "findings.md")) >= 12
