"""`kernel`, `extract` and `repack` on the command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pvgrub_sim.cli import main
from tests.images import unpack_sparse
from tests.kernel_images import Elf, bzimage, linux_notes, payload

ELF = Elf(size=30000).build()
CASES = Path(__file__).parents[2] / "fixtures" / "conformance" / "kernels"


@pytest.fixture
def zstd_kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage(payload("zstd", ELF)))
    return path


def test_facts(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", str(zstd_kernel)]) == 0
    told = capsys.readouterr().out
    for words in (
        "bzImage",
        "6.1.0-made-to-order #1",
        "boot protocol  2.15",
        "payload        zstd",
        f"unpacks to {len(ELF)}",
        "GUEST_OS           linux",
        "VIRT_BASE          0xffffffff80000000",
        "amazon-1.01 … 1.05  64-bit  Error 9: this PV-GRUB does not unpack zstd payloads",
        "xen-4.0.0 … 4.14    64-bit  Error 9: this PV-GRUB does not unpack zstd payloads",
        "xen-4.15 … 4.21     64-bit  boots",
        "all                 32-bit  Error 13",
    ):
        assert words in told


def test_json(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", str(zstd_kernel), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format_version"] == 1
    assert told["payload"]["format"] == "zstd"
    assert told["payload"]["unpacked_size"] == told["payload"]["size_word"] == len(ELF)
    assert told["elf"]["class"] == 64
    assert told["notes"]["LOADER"] == "generic"
    boots = {(row["name"], row["arch"]) for row in told["pvgrub"] if row["boots"]}
    assert boots == {(f"xen-4.{minor}", "x86_64") for minor in range(15, 22)}


def test_one_version(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", str(zstd_kernel), "--pvgrub", "amazon-1.05"]) == 1
    assert "xen-4.17" not in capsys.readouterr().out


@pytest.mark.parametrize("gzipped", [False, True])
def test_elf_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], gzipped: bool) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(gzip.compress(ELF) if gzipped else ELF)
    assert main(["kernel", str(path)]) == 0
    assert "vmlinux: ELF" in capsys.readouterr().out


def test_kernel_on_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = unpack_sparse(CASES / "payload-lzo.img.zst", tmp_path / "disk.img")
    assert main(["kernel", f"{image}:(hd0)/boot/vmlinuz"]) == 0
    assert "payload        lzo" in capsys.readouterr().out
    assert main(["kernel", f"{image}:(hd0)/boot/missing"]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "Error 15: File not found" in told.err


@pytest.mark.parametrize("command", ["kernel", "extract", "repack"])
@pytest.mark.parametrize("name", ["missing", ".", "nothing:(hd0)/boot/vmlinuz", "a\0b"])
def test_bad_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    output = [] if command == "kernel" else ["-o", "out"]
    assert main([command, name, *output]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert not Path("out").exists()


def test_unknown_version(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", str(zstd_kernel), "--pvgrub", "xen-99"]) == 2
    assert "xen-99" in capsys.readouterr().err


def test_extract(zstd_kernel: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    out = tmp_path / "vmlinux"
    assert main(["extract", str(zstd_kernel), "-o", str(out)]) == 0
    assert out.read_bytes() == ELF
    assert main(["extract", str(zstd_kernel), "-o", "-"]) == 0
    assert capsysbinary.readouterr().out == ELF


def test_repack_over_the_original(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zstd_kernel.chmod(0o640)
    assert main(["repack", str(zstd_kernel), "--pv-only", "--in-place"]) == 0
    assert "boots on every version of PV-GRUB (x86_64)" in capsys.readouterr().err
    assert zstd_kernel.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in zstd_kernel.parent.iterdir()] == ["vmlinuz"]
    assert main(["kernel", str(zstd_kernel), "--pvgrub", "amazon-1.01"]) == 0


@pytest.mark.parametrize(("payload_form", "status"), [("gzip", 0), ("elf-gz", 0), ("none", 0), ("xz", 1)])
def test_repack_for_a_version(
    zstd_kernel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], payload_form: str, status: int
) -> None:
    out = tmp_path / "out"
    words = ["repack", str(zstd_kernel), "--payload", payload_form, "--pvgrub", "amazon-1.03", "-o", str(out)]
    assert main(words) == status
    assert out.exists() is not bool(status)
    assert ("amazon-1.03 would not boot it" in capsys.readouterr().err) is bool(status)


def test_repack_cannot_make_a_xen_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage(payload("zstd", Elf(notes=linux_notes(XEN_VERSION=None)).build())))
    assert main(["repack", str(path), "-o", str(tmp_path / "out")]) == 1
    assert "Xen will only load images built for Xen v3.0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_repack_into_a_missing_folder(zstd_kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repack", str(zstd_kernel), "-o", str(zstd_kernel.parent / "none" / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
