"""EC2 bundles: every byte as openssl and tar read it, with the right key only."""

from __future__ import annotations

import base64
import random
import stat
from pathlib import Path

import pytest

from pvgrub_sim import Access, boot, open_image
from pvgrub_sim.errors import ImageError, PvgrubSimError, UsageError
from pvgrub_sim.media.disk import Machine
from pvgrub_sim.model import Outcome
from tests.images import unpack_sparse
from tests.media.machines import all_equal, make_key, read_bundle, write_bundle

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.raw")


@pytest.fixture(scope="module")
def bundle(good: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The manifest, and the private key."""
    folder = tmp_path_factory.mktemp("bundle")
    key, certificate = make_key(folder)
    return write_bundle(folder, good, certificate, 1_000), key


def test_a_bundle_is_read_as_openssl_and_tar_read_it(bundle: tuple[Path, Path], good: Path) -> None:
    manifest, key = bundle
    foreign = read_bundle(manifest, key)
    assert foreign == good.read_bytes()
    disk = open_image(manifest, access=Access(key=str(key)))
    assert isinstance(disk, Machine)
    all_equal(disk, foreign)
    disk.close()
    verdict = boot(manifest, access=Access(key=str(key)))
    assert verdict.outcome is Outcome.BOOTS
    assert verdict.profile.aki == "aki-919dcaf8"


def test_a_bundle_wants_the_right_key(bundle: tuple[Path, Path], tmp_path: Path) -> None:
    other, certificate = make_key(tmp_path, "other")
    with pytest.raises(PvgrubSimError, match="--bundle-key"):
        open_image(bundle[0])
    with pytest.raises(ImageError, match="another key"):
        open_image(bundle[0], access=Access(key=str(other)))
    with pytest.raises(PvgrubSimError, match="no private key"):
        open_image(bundle[0], access=Access(key=str(certificate)))


@pytest.mark.parametrize("what", ["part", "order", "digest", "missing"])
def test_a_bundle_that_is_not_what_was_bundled_is_an_error(
    what: str, bundle: tuple[Path, Path], tmp_path: Path
) -> None:
    for file in bundle[0].parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = tmp_path / bundle[0].name
    part = tmp_path / "image.part.01"
    if what == "part":
        data = bytearray(part.read_bytes())
        data[100] ^= 1
        part.write_bytes(data)
    elif what == "order":
        text = manifest.read_text().replace("part.00<", "part.XX<").replace("part.01<", "part.00<")
        manifest.write_text(text.replace("part.XX<", "part.01<"))
    elif what == "digest":
        text = manifest.read_text()
        digest = text.partition("<digest algorithm='SHA1'>")[2][:40]
        manifest.write_text(text.replace(digest, "0" * 40))
    else:
        part.unlink()
    with pytest.raises(ImageError):
        disk = open_image(manifest, access=Access(key=str(bundle[1])))
        disk.read(0, disk.size)


@pytest.mark.parametrize("told", ["", "0" * 64])
def test_a_manifest_without_the_digest_that_is_looked_at_is_refused(
    told: str, bundle: tuple[Path, Path], tmp_path: Path
) -> None:
    text = bundle[0].read_text()
    manifest = tmp_path / bundle[0].name
    manifest.write_text(text.replace(text.partition("<digest algorithm='SHA1'>")[2][:40], told, 1))
    with pytest.raises(ImageError, match="without the image's SHA-1"):
        open_image(manifest, access=Access(key=str(bundle[1])))


def test_no_part_is_named_twice(bundle: tuple[Path, Path], tmp_path: Path) -> None:
    """A part of 64 MiB that a manifest names 100 000 times would be 6 TB."""
    text = bundle[0].read_text()
    for other in (text.replace("image.part.01<", "image.part.00<"), text.replace("index='1'", "index='00'")):
        manifest = tmp_path / bundle[0].name
        manifest.write_text(other)
        with pytest.raises(ImageError, match="already"):
            open_image(manifest, access=Access(key=str(bundle[1])))


def test_what_is_decrypted_is_stored_once(good: Path, tmp_path: Path) -> None:
    """Unpacked, that is: the packed bytes may be without end, as a file's name in the head of gzip's may."""
    image = tmp_path / "noise.raw"
    image.write_bytes(good.read_bytes() + random.Random(1).randbytes(8 << 20))
    key, certificate = make_key(tmp_path)
    manifest = write_bundle(tmp_path, image, certificate, 1_000_003)
    others = unlinked()
    disk = open_image(manifest, access=Access(key=str(key)))
    assert disk.read(0, disk.size) == image.read_bytes()
    stored = sum(size for inode, size in unlinked().items() if inode not in others)
    disk.close()
    assert 8 << 20 < stored < 14 << 20


def unlinked() -> dict[int, int]:
    """Files without a name that are open in this process: by inode, the bytes that they take."""
    files = [file.stat() for file in Path("/proc/self/fd").iterdir() if file.exists()]
    return {file.st_ino: file.st_blocks * 512 for file in files if stat.S_ISREG(file.st_mode) and not file.st_nlink}


def test_a_key_of_an_unknown_kind_is_one_line(bundle: tuple[Path, Path], tmp_path: Path) -> None:
    der = base64.b64decode("".join(bundle[1].read_text().splitlines()[1:-1]))
    rsa = bytes.fromhex("2a864886f70d010101")
    assert rsa in der
    text = base64.encodebytes(der.replace(rsa, rsa[:-1] + b"c")).decode()
    other = tmp_path / "other.key"
    other.write_text(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")
    with pytest.raises(UsageError, match="no private key"):
        open_image(bundle[0], access=Access(key=str(other)))


@pytest.mark.parametrize("name", ["../image.part.01", "/etc/passwd", "http://127.0.0.1/x", ".."])
def test_a_bundle_names_no_file_outside(name: str, bundle: tuple[Path, Path], tmp_path: Path) -> None:
    for file in bundle[0].parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = tmp_path / bundle[0].name
    manifest.write_text(manifest.read_text().replace("image.part.01<", f"{name}<"))
    with pytest.raises(ImageError):
        disk = open_image(manifest, access=Access(key=str(bundle[1])))
        disk.read(0, disk.size)
