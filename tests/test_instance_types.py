"""EC2's instance types: the tables, what is taken from them, and where the option is."""

from __future__ import annotations

import json
import lzma
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import ScanSettings, UsageError, boot, scan
from pvgrub_sim.cli import main
from pvgrub_sim.model import Finding
from pvgrub_sim.profiles.instance_types import SOURCES, are_known, check_instance_type, hvm_only, paravirtual, that_run
from pvgrub_sim.request import read_request
from pvgrub_sim.verdict import NO_OPTIONS
from tests.images import unpack_sparse
from tests.initramfs.archives import cpio
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

FIXTURES = Path(__file__).parents[1] / "fixtures"
PUBLISHED = {
    "t1.micro": 0.613, "m1.small": 1.7, "m1.medium": 3.75, "m1.large": 7.5, "m1.xlarge": 15, "m3.xlarge": 15,
    "m3.2xlarge": 30, "c1.medium": 1.7, "c1.xlarge": 7, "m2.xlarge": 17.1, "m2.2xlarge": 34.2, "m2.4xlarge": 68.4,
    "hi1.4xlarge": 60.5, "hs1.8xlarge": 117,
}  # fmt: skip
"""GiB of memory as AWS's pages had them in 2013 (gist.github.com/cesardv/8a14a5ff0bf5f9bbb175)."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")


def outside(image: Path, **options: Any) -> dict[str, Finding]:
    found = boot(image, **options).findings
    return {one.rule: one for one in found if one.rule.startswith(("instance-", "domain-"))}


# --- the tables


def test_each_type_has_a_source_and_each_source_a_type() -> None:
    sources = {row.source for row in paravirtual().values()} | set(hvm_only().values())
    assert sources == set(SOURCES.values())
    assert not {name.partition(".")[0] for name in paravirtual()} & hvm_only().keys()


@pytest.mark.parametrize(("name", "gib"), PUBLISHED.items())
def test_memory_is_what_was_published(name: str, gib: float) -> None:
    assert paravirtual()[name].memory == pytest.approx(gib * 1024, rel=0.02)


@pytest.mark.parametrize("name", ["m1.huge", "t1.small", "T2.micro", "m1", "", "m1.small ", "m1.*", "x" * 40 + ".y"])
def test_what_is_no_type_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="instance type"):
        check_instance_type(name)


@pytest.mark.parametrize("name", ["m1.small", "m5.large", "u-12tb1.112xlarge", "m99.large"])
def test_types_of_today_and_tomorrow_are_taken(name: str) -> None:
    check_instance_type(name)


def test_stars_stand_for_anything() -> None:
    assert [row.name for row in that_run(("t1.*", "c3.8*", "m5.*", "(", "m1.small|x"))] == ["t1.micro", "c3.8xlarge"]
    assert are_known(("m5.*", "t1.micro")) and not are_known(("m5.*", "zz9.large"))


# --- what is said


def test_a_type_that_runs_it_says_nothing(image: Path) -> None:
    for name in paravirtual():
        assert not outside(image, instance_type=name)


def test_a_type_is_a_note_where_it_is_unknown_and_an_error_where_it_is_hvm_only(image: Path) -> None:
    assert outside(image, instance_type="t2.micro")["instance-type-without-pv"].severity == "error"
    assert outside(image, instance_type="m99.large")["instance-type-without-pv"].severity == "note"


def test_ec2_has_no_part_in_a_xen_host_or_an_hvm_image(image: Path, tmp_path: Path) -> None:
    xen = {"pvgrub": "xen-4.17", "config": "(hd0)/boot/grub/menu.lst"}
    assert not outside(image, instance_type="t2.micro", **xen)
    answer = tmp_path / "ami.json"
    answer.write_text(json.dumps([{"ImageId": "ami-1", "VirtualizationType": "hvm"}]))
    assert not outside(image, instance_type="t2.micro", ami=answer)


@pytest.mark.parametrize(
    "told",
    [
        {"InstanceTypeSpecification": {"SupportedInstanceTypes": ["t2.micro"]}},
        {"InstanceTypeSpecification": {"SupportedInstanceTypes": [{"InstanceType": "t2.*"}]}},
        {"InstanceTypes": ["t2.micro", "t3.nano"]},
        {"InstanceType": "t2.micro"},
    ],
)
def test_an_amis_types_are_taken_from_its_description(told: dict[str, Any], image: Path, tmp_path: Path) -> None:
    answer = tmp_path / "ami.json"
    answer.write_text(json.dumps([{"ImageId": "ami-1", **told}]))
    found = outside(image, ami=answer)["instance-type-without-pv"]
    assert found.where == "ami-1" and "t2." in found.message
    assert not outside(image, ami=answer, instance_type="m1.small")


@pytest.mark.parametrize("told", [5, "x", [], {}, [None, 3, {}, {"InstanceType": 3}], ["a b", "\x1b[2J", "x" * 99]])
def test_lists_of_types_that_are_none_are_passed_over(told: Any, image: Path, tmp_path: Path) -> None:
    answer = tmp_path / "ami.json"
    for item in ({"InstanceTypes": told}, {"InstanceTypeSpecification": {"SupportedInstanceTypes": told}}):
        answer.write_text(json.dumps([{"ImageId": "ami-1", **item}]))
        assert not outside(image, ami=answer)


# --- the domain's memory


def test_memory_is_the_types_unless_somebody_says_another(image: Path) -> None:
    def memory(**options: Any) -> tuple[int, bool]:
        with ExitStack() as stack:
            request = read_request(image, stack, **{**NO_OPTIONS, **options})
            return request.profile.memory, request.memory_named

    assert memory() == (256, False)
    assert memory(instance_type="t1.micro") == (627, True)
    assert memory(instance_type="t1.micro", memory=100) == (100, True)
    assert memory(instance_type="t2.micro") == (256, False)
    assert memory(instance_type="hs1.8xlarge") == (119808, True)


def linux(folder: Path, initrd: bytes) -> Path:
    """An image whose kernel has the initrd, with 4 MiB for it."""
    files = {
        "boot/grub/menu.lst": b"timeout 0\ntitle L\nroot (hd0)\nkernel /boot/vmlinuz ro\ninitrd /boot/initrd\n",
        "boot/vmlinuz": bzimage(payload("gzip", Elf().build()), text=b"6.1.0 #1"),
        "boot/initrd": initrd,
    }
    for path, content in files.items():
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_bytes(content)
    image = folder / "linux.img"
    run("mke2fs", "-q", "-F", "-t", "ext3", "-O", "^resize_inode", "-d", folder / "tree", image, "8M")
    return image


def test_what_linux_unpacks_is_a_warning(tmp_path: Path) -> None:
    archive = cpio(tmp_path, {"init": "x", "firmware": "\0" * (48 << 20)})
    image = linux(tmp_path, lzma.compress(archive, check=lzma.CHECK_CRC32))
    found = outside(image, memory=32)["domain-memory-too-small"]
    assert found.severity == "warning" and found.where == "(hd0)/boot/initrd"
    assert "49 MiB" in found.evidence
    assert not outside(image, memory=64)


def test_nobody_said_how_much_memory_there_is(tmp_path: Path) -> None:
    image = unpack_sparse(FIXTURES / "rules" / "large-initrd.img.zst", tmp_path / "disk.img")
    assert not outside(image)
    assert not outside(image, instance_type="t1.micro")
    assert outside(image, memory=105)["domain-memory-too-small"].severity == "error"


# --- where the option is


def test_boot_and_scan_take_it(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", str(image), "--instance-type", "t2.micro", "--fail-on", "error"]) == 1
    assert "instance-type-without-pv" in capsys.readouterr().out
    assert main(["boot", str(image), "--instance-type", "m1.huge"]) == 2
    assert "of m1 there are m1.small, m1.medium" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"m1\.huge"):
        scan([image], store=tmp_path / "a.db", settings=ScanSettings(instance_type="m1.huge"))
    assert main(["scan", str(image), "--store", str(tmp_path / "b.db"), "--instance-type", "t2.micro", "--quiet"]) == 0
    assert ScanSettings(instance_type="t2.micro").decisive == "instance_type t2.micro"


def test_a_project_file_names_it(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".pvgrub-sim.toml").write_text('instance-type = "t2.micro"\n')
    monkeypatch.chdir(tmp_path)
    main(["boot", image.name])
    assert "instance-type-without-pv" in capsys.readouterr().out


def test_a_domains_configuration_has_no_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", "--xl-config", str(tmp_path / "x.cfg"), "--instance-type", "m1.small"]) == 2
    assert "--instance-type says what --xl-config says already" in capsys.readouterr().err
