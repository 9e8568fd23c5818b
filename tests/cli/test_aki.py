"""`pvgrub-sim aki`: the catalogue, recommendations that really boot, and AMI descriptions."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvgrub_sim.cli import main
from tests.images import unpack_sparse
from tests.rounds import rounds

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAMPLE = FIXTURES / "describe-images-sample.json"


def out(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(["aki", *words]) == status
    return capsys.readouterr().out


def one_line(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["aki", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_list_filters_by_region_arch_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "list", "--region", "eu-west-1", "--arch", "x86_64", "--version", "1.04").splitlines()
    assert [line.split() for line in lines] == [
        ["REGION", "AKI", "VERSION", "DEVICE", "ARCH", "NAME"],
        ["eu-west-1", "aki-52a34525", "1.04", "hd0", "x86_64", "pv-grub-hd0_1.04-x86_64.gz"],
        ["eu-west-1", "aki-58a3452f", "1.04", "hd00", "x86_64", "pv-grub-hd00_1.04-x86_64.gz"],
    ]


def test_list_json_has_every_row_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(out(capsys, "list", "--format", "json"))
    assert len(rows) == 157
    assert all(row["source"] and row["source"] != "seed document" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_show_tells_what_is_doubtful_about_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert "another list swaps the two architectures of this pair" in out(capsys, "show", "aki-5e3e740c")


def test_list_without_a_match_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aki", "list", "--region", "eu-central-1", "--version", "1.01"]) == 1
    assert "no AKI matches" in capsys.readouterr().err


def test_show_by_id_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "show", "aki-176bf516")
    assert "PV-GRUB 1.04 (2013-09), hd0, boots x86_64 kernels" in text
    assert "newer in ap-northeast-1: aki-7077ab11 = pv-grub-hd0_1.05-x86_64.gz" in text
    facts = json.loads(out(capsys, "show", "pv-grub-hd00_1.03-i386.gz", "--format", "json"))
    assert (facts["version"], facts["device"], facts["arch"], facts["gpt"]) == ("1.03", "hd00", "i386", False)
    assert facts["config_paths"] == ["(hd0,0)/boot/grub/menu.lst"]
    assert {row["name"] for row in facts["akis"]} == {"pv-grub-hd00_1.03-i386.gz"}


def test_upgrade_prints_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--region", "ap-northeast-1", "--instance", "i-0123456789abcdef0")
    lines = out(capsys, "upgrade", "aki-176bf516", *place).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "aws ec2 stop-instances --region ap-northeast-1 --instance-ids i-0123456789abcdef0",
        "aws ec2 wait instance-stopped --region ap-northeast-1 --instance-ids i-0123456789abcdef0",
        "aws ec2 modify-instance-attribute --region ap-northeast-1 --instance-id i-0123456789abcdef0"
        " --kernel Value=aki-7077ab11",
        "aws ec2 start-instances --region ap-northeast-1 --instance-ids i-0123456789abcdef0",
    ]


def test_upgrade_of_an_hd00_aki_leads_to_hd0(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "upgrade", "aki-58a3452f", "--region", "eu-west-1", "--instance", "i-01234567")
    steps = json.loads(
        out(capsys, "upgrade", "aki-58a3452f", "--region", "eu-west-1", "--instance", "i-01234567", "--format", "json")
    )
    assert "# an hd0 AKI finds the menu of both layouts from 1.04 on" in text
    assert (steps["target"]["device"], steps["target"]["version"]) == ("hd0", "1.05")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--region", "mars"], "no PV-GRUB AKI of region 'mars' is catalogued"),
        (["list", "--version", "2"], "no version of Amazon's PV-GRUB"),
        (["show", "aki-00000000"], "not in the catalogue"),
        (["show", "vmlinuz"], "not the name of a PV-GRUB AKI"),
        (["recommend", "/nonexistent"], "/nonexistent: no such file"),
        (["recommend", "--region", "mars", "x"], "mars"),
        (["upgrade", "aki-176bf516", "--region", "eu-west-1", "--instance", "i-01234567"], "belongs to ap-northeast-1"),
        (["upgrade", "aki-176bf516", "--region", "ap-northeast-1", "--instance", "x; rm"], "is no instance id"),
        (["upgrade", "aki-00000000", "--region", "eu-west-1", "--instance", "i-01234567"], "not in the catalogue"),
        (["check", "/nonexistent"], "/nonexistent: no such file"),
        (["check", "/"], "/: is a directory"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in one_line(capsys, *words)


def test_recommend_names_an_aki_of_each_region_that_boots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = FIXTURES / "conformance" / "amazon" / "whole-boot.img.zst"
    image = str(unpack_sparse(packed, tmp_path / "disk.img"))
    report = json.loads(out(capsys, "recommend", image, "--format", "json"))
    best = {entry["region"]: entry["aki"] for entry in report["regions"]}
    assert (report["arch"], report["boots"]) == ("x86_64", True)
    assert best["eu-west-1"]["name"] == "pv-grub-hd0_1.05-x86_64.gz"
    assert best["us-east-2"]["version"] == "1.04"
    assert "pv-grub-hd0_1.05-x86_64.gz" in out(capsys, "recommend", image, "--region", "eu-west-1")


def test_recommend_of_what_nothing_boots_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "zeros.img"
    image.write_bytes(bytes(1 << 20))
    assert out(capsys, "recommend", str(image), status=1).splitlines() == [
        f"{image}: no AKI boots it",
        "  with the newest PV-GRUB: The instance never comes up: PV-GRUB finds no config file and stays at its"
        " grubdom> prompt.",
        "  `pvgrub-sim boot` tells why and what to do.",
    ]


def test_recommend_says_when_only_a_fallback_entry_boots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = str(unpack_sparse(FIXTURES / "images" / "demo.img.zst", tmp_path / "demo.img"))
    first, why, _ = out(capsys, "recommend", image, status=1).splitlines()
    assert first == f"{image}: no AKI boots the default entry of it"
    assert "PV-GRUB boots entry 1 " in why and "because entry 0 'Vanilla Linux 4.3' failed: Error 15" in why


def test_recommend_keeps_to_the_architecture_of_the_ami(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A registered AMI has an architecture, and no AKI of another one goes with it, whatever its kernel is for."""
    image = str(unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img"))
    described = json.loads(SAMPLE.read_text())
    ami = tmp_path / "ami.json"
    for arch, status in (("x86_64", 0), ("i386", 1)):
        ami.write_text(json.dumps({"Images": [{**described["Images"][0], "Architecture": arch}]}))
        text = out(capsys, "recommend", image, "--region", "eu-west-1", "--ami", str(ami), status=status)
        assert ("pv-grub-hd0_1.05-x86_64.gz" in text) is (arch == "x86_64")
    assert "no AKI for i386 boots its kernel, which is for x86_64" in text
    assert one_line(capsys, "recommend", image, "--ami-id", "ami-00000000")


def test_check_of_the_published_sample(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "check", str(SAMPLE))
    assert text.splitlines() == [
        "ami-983231f6 (ImageLive): paravirtual, x86_64, root device /dev/sda1",
        "  kernel: aki-176bf516 = pv-grub-hd0_1.04-x86_64.gz, PV-GRUB 1.04 in ap-northeast-1",
        "  ramdisk: no ARI, as it should be",
        "  warning: PV-GRUB 1.04 is outdated: 1.05 is aki-7077ab11 (pv-grub-hd0_1.05-x86_64.gz) in ap-northeast-1"
        " [aki-outdated]",
    ]


def test_check_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stdin:
        buffer = io.BytesIO(SAMPLE.read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert "ami-983231f6" in out(capsys, "check", "-")


def described(tmp_path: Path, *images: dict[str, Any]) -> str:
    path = tmp_path / "images.json"
    path.write_text(json.dumps({"Images": images}))
    return str(path)


PV = {
    "ImageId": "ami-1", "VirtualizationType": "paravirtual", "Architecture": "x86_64", "KernelId": "aki-7077ab11",
    "RootDeviceName": "/dev/sda1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status", "rules"),
    [
        ({}, 0, []),
        ({"RamdiskId": "ari-1"}, 1, ["ari-with-pvgrub"]),
        ({"Architecture": "i386"}, 1, ["arch-mismatch"]),
        ({"KernelId": "aki-176bf516"}, 0, ["aki-outdated"]),
        ({"KernelId": "aki-00000000"}, 0, ["aki-not-pvgrub"]),
        ({"KernelId": None}, 1, ["aki-not-pvgrub"]),
        ({"VirtualizationType": "hvm", "KernelId": None}, 0, ["hvm-needs-no-pvgrub"]),
        ({"VirtualizationType": "hvm"}, 0, ["hvm-needs-no-pvgrub"]),
    ],
)
def test_check_of_each_kind_of_ami(
    change: dict[str, Any], status: int, rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = described(tmp_path, {**PV, **change})
    (report,) = json.loads(out(capsys, "check", path, "--format", "json", status=status))
    assert [remark["rule"] for remark in report["remarks"]] == rules
    out(capsys, "check", path, status=status)


def test_an_aki_that_is_not_catalogued_is_known_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = {
        "ImageId": "aki-abcdef01", "ImageType": "kernel", "Architecture": "x86_64",
        "ImageLocation": "ec2-public-images/pv-grub-hd0_1.05-x86_64.gz.manifest.xml",
    }  # fmt: skip
    other = {"ImageId": "aki-abcdef02", "ImageType": "kernel", "Name": "vmlinuz-2.6.18"}
    path = described(tmp_path, {**PV, "KernelId": "aki-abcdef01"}, {**PV, "KernelId": "aki-abcdef02"}, kernel, other)
    first, second, *_ = json.loads(out(capsys, "check", path, "--format", "json", status=1))
    assert (first["pvgrub"], first["aki_name"]) == (True, "pv-grub-hd0_1.05-x86_64.gz.manifest.xml")
    assert (second["pvgrub"], second["remarks"][0]["rule"]) == (False, "aki-not-pvgrub")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"An error occurred (InvalidAMIID.NotFound)", "line 1, column 1: not JSON"),
        (b'{"Images": [', "not JSON"),
        (b'{"Images": []}', "no images in it"),
        (b'{"Reservations": []}', "JSON without `Images`"),
        (b'{"Images": [{"Name": "x"}]}', "without an ImageId"),
        (b'{"Images": [{"ImageId": "ami-1", "KernelId": 7}]}', "KernelId is no text"),
        (b'{"Images": [{"ImageId": "ami-1", "KernelId": "aki-1; touch P"}]}', "KernelId 'aki-1; touch P' is no id"),
        (b'{"Images": [{"ImageId": "ami-1", "RamdiskId": "$(touch P)"}]}', "RamdiskId '$(touch P)' is no id"),
        (b'{"Images": [{"ImageId": "ami-1", "BlockDeviceMappings": 7}]}', "BlockDeviceMappings is no list"),
        (b"42", "JSON without `Images`"),
        (b"[" * 100_000, "JSON"),
        (b"\x00\xff\xfe\x80", "is not text"),
    ],
)
def test_what_is_no_description_is_one_line(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert said in one_line(capsys, "check", str(path))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_check_reads_what_other_shells_save(encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.json"
    path.write_text(SAMPLE.read_text(), encoding=encoding)
    assert "aki-176bf516" in out(capsys, "check", str(path))


KEYS = ("KernelId", "RamdiskId", "Name", "ImageType", "Architecture", "VirtualizationType", "RootDeviceName")
WORDS = ("aki-176bf516", "hvm", "paravirtual", "kernel", "i386", "pv-grub-hd0_1.04-x86_64.gz", "\ud800", "\x1b\n")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(WORDS), st.text(max_size=5))
IMAGE = st.fixed_dictionaries(
    {"ImageId": st.one_of(st.sampled_from(["ami-1", "aki-1", "aki-176bf516"]), LEAVES)},
    optional=dict.fromkeys(KEYS, LEAVES),
)


@settings(max_examples=rounds(150, otherwise=30), deadline=None, suppress_health_check=list(HealthCheck))
@given(images=st.one_of(LEAVES, st.lists(st.one_of(IMAGE, LEAVES), max_size=3)), form=st.sampled_from(["text", "json"]))
def test_any_json_is_judged_or_refused_in_one_line(
    images: object, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "images.json"
    path.write_text(json.dumps({"Images": images}))
    status = main(["aki", "check", str(path), "--format", form])
    captured = capsys.readouterr()
    assert (captured.err.count("\n"), captured.out == "") == ((1, True) if status == 2 else (0, False))
    captured.out.encode()
