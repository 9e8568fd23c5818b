"""Bytes of an image are data: no remedy runs them, writes where they lead, or hands them to a tool as an option."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pvgrub_sim import boot, inspect_image, read_file
from pvgrub_sim.errors import PvgrubSimError
from pvgrub_sim.model import Verdict
from pvgrub_sim.survey.result import FileKind
from tests.findings.cases import FIXTURES, HITS
from tests.findings.hostile_names import HOSTILE, SHELLS, fresh, run_remedy, stubs
from tests.images import unpack_sparse
from tests.rounds import ALL, rounds

INJECTIONS = sorted(path.name.removesuffix(".img.zst") for path in (FIXTURES / "hostile").glob("inj-*.zst"))
LARGEST_FUZZED = 16 << 20
EVERY = {name: dict(case.options) for cases in HITS.values() for case in cases
         for name in [case.image] if name.startswith(("rules/", "images/")) and "ami" not in case.options}  # fmt: skip
"""The rules' images, with the options that a rule's case has."""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", INJECTIONS)
def test_no_remedy_runs_a_name(name: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fresh(tmp_path / "a" / "b" / "here")
    monkeypatch.chdir(folder)
    image = unpack_sparse(FIXTURES / "hostile" / f"{name}.img.zst", folder / f"{name}.img")
    size = image.stat().st_size
    findings = boot(image.name).findings
    assert findings
    for finding in findings:
        assert all(line.isprintable() for line in finding.remedy.split("\n")), finding.remedy
        run_remedy(finding.remedy, folder, shell)
    assert image.stat().st_size == size and any(image.read_bytes()[: 1 << 21])
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    mine = {"a", "a/b", "a/b/here", f"a/b/here/{name}.img", "a/b/here/boot.img"}
    assert not [path for path in made - mine if not path.startswith("a/b/here/pvgrub-sim.work")]
    work = folder / "pvgrub-sim.work"
    kept = {"menu.lst", "kernel", "kernel.gzip", "file", "boot.img", "file1", "file2"}
    assert not work.exists() or {path.name for path in work.iterdir()} <= kept


NAMES = ("-rf.img", "a b.img", "it's.img", "$(touch P).img", "`touch P`.img", "a\n>P\n.img", 'a".img', "a?b.img", "-",
         "pvgrub-sim.work", "boot.img", "!a.img")  # fmt: skip
PATCHED = ("rules/kernel-near", "rules/ext4-today-partition", "rules/ext4-inline")


@pytest.mark.parametrize(
    ("fixture", "name"),
    # Outside CI each of them is called by some of the names.
    [(PATCHED[at], name) for at in range(3) for place, name in enumerate(NAMES) if ALL or place % 3 == at],
)
def test_the_image_may_have_any_name(fixture: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fresh(tmp_path / "here")
    monkeypatch.chdir(folder)
    image = unpack_sparse(FIXTURES / f"{fixture}.img.zst", folder / name)
    size = image.stat().st_size
    for finding in boot(f"./{name}" if name == "-" else name).findings:
        run_remedy(finding.remedy, folder, "dash")
    assert image.stat().st_size == size and any(image.read_bytes()[: 1 << 21])
    assert {path.name for path in folder.iterdir()} <= {
        name, "boot.img", "new-boot.img", "pvgrub-sim.work", "pvgrub-sim.work-2",
    }  # fmt: skip
    if name in ("a b.img", "it's.img", "-rf.img", "!a.img") and fixture != "rules/ext4-inline":
        assert boot(name).boots_default


def fields(image: Path) -> list[bytes]:
    """The words of the menus and of GRUB 2's configurations, the titles, and the names and links of the boot files."""
    found: dict[bytes, None] = {}
    survey = inspect_image(image, image_format="raw")
    for volume in survey.volumes:
        for content in volume.contents:
            found |= dict.fromkeys(text.encode() for text in (content.label, content.uuid[:8]) if len(text) > 3)
            for file in content.files:
                raw = file.path.encode("utf-8", "surrogateescape")
                found |= dict.fromkeys([raw.rpartition(b"/")[2], (file.link or "").encode()])
                if file.kind in (FileKind.MENU, FileKind.GRUB2):
                    try:
                        text = read_file(image, volume.grub.encode() + raw, survey=True)
                    except PvgrubSimError:
                        continue
                    if b"\x00" in text:
                        continue
                    found |= dict.fromkeys(re.findall(rb"[^\s/=]+", text) + re.findall(rb"(?m)^title (.*)$", text))
    return [word for word in found if len(word) >= 4]


def planted(data: bytes, word: bytes, hostile: bytes) -> bytes:
    """An image in which a hostile text of the same length stands wherever a word stood."""
    text = (hostile + b"x" * len(word))[: len(word)]
    return data.replace(word, text)


def labelled(data: bytes, hostile: bytes) -> bytes:
    """An image whose ext filesystem, if it begins with the disk, has a hostile label."""
    if data[1080:1082] != b"\x53\xef":
        return data
    return data[:1144] + (hostile + bytes(16))[:16] + data[1160:]


def check(verdict: Verdict, folder: Path, tools: Path, told: str, shells: Sequence[str] = SHELLS) -> None:
    script = "\n".join(finding.remedy for finding in verdict.findings)
    assert all(line.isprintable() for line in script.split("\n")), (told, script)
    assert not re.search(r"(?m)^(::|##\[|!)", script), (told, script)
    for shell in shells:
        fresh(folder / "run")
        run_remedy(script, folder / "run", shell, tools)
        made = {path.name for path in (folder / "run").iterdir()}
        assert made <= {"pvgrub-sim.work"}, (told, shell, made, script)
        assert not list(folder.glob("P")), (told, shell, script)
        assert "P" not in {path.name for path in folder.rglob("*")}, (told, shell, script)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_hostile_fields(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field of an image becomes some of the hostile texts in turn: all meet all over the images together."""
    generator = random.Random(name)
    folder = fresh(tmp_path / "here")
    monkeypatch.chdir(folder)
    image = unpack_sparse(FIXTURES / f"{name}.img.zst", folder / "disk.img")
    if image.stat().st_size > LARGEST_FUZZED:
        return
    data = image.read_bytes()
    tools = stubs(tmp_path / "tools")
    words = fields(image)
    chosen = generator.sample(words, min(len(words), rounds(5, otherwise=1)))
    hostile = generator.sample(HOSTILE, len(chosen) + 1)
    for word, text in zip(chosen, hostile, strict=False):
        image.write_bytes(planted(data, word, text))
        shells = SHELLS if ALL else [generator.choice(SHELLS)]
        check(boot(image.name, **EVERY[name]), tmp_path / "there", tools, f"{word!r} {text!r}", shells)
    image.write_bytes(labelled(data, hostile[-1]))
    shells = SHELLS if ALL else [generator.choice(SHELLS)]
    check(boot(image.name, **EVERY[name]), tmp_path / "there", tools, f"label {hostile[-1]!r}", shells)
