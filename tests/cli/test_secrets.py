"""User, password and query of an address are printed nowhere, wherever on the command line it stands."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import UsageError, examine_kernel, read_file, shown_source, without_secrets
from pvgrub_sim.cli.output import INPUTS
from tests.cli.running import Run
from tests.cli.test_outputs import parsers
from tests.media.web import WebServer, serving

USER, PASSWORD, QUERY = "somebody", "hunter2", "0123SIGNATURE"
VMLINUZ = "(hd0)/boot/vmlinuz"
PLACES = ("{url}", "file:{url}", " {url}", "{upper}", "{url}:(hd0)/boot/vmlinuz", "{url}:(hd0)/boot/nowhere", "{gone}")
EXAMPLES = {"scan": ["--store", "scan.db", "--quiet", "--jobs", "1"], "fix": ["--dry-run"], "extract": ["-o", "out"],
            "repack": ["-o", "out"], "fleet": [], "console": [], "boot": [], "cat": [], "ls": [], "kernel": [],
            "inspect": [], "aki": [], "explain": [], "completion": []}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def server(good: Path) -> Iterator[WebServer]:
    """A server with an image and with its kernel."""
    (good.parent / "vmlinuz").write_bytes(read_file(good, VMLINUZ))
    with serving(good.parent) as running:
        yield running


def secret(server: WebServer, name: str) -> str:
    return server.url(name).replace("//", f"//{USER}:{PASSWORD}@") + f"?sig={QUERY}"


def parsers_with_actions() -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    for name, parser in parsers().items():
        below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if below:
            yield from (((name, word), sub) for word, sub in below[0].choices.items())
        else:
            yield (name,), parser


def arguments() -> list[tuple[str, ...]]:
    """The words of each command, and an argument of it that has a value; of options, all."""
    return [
        (*command, (action.option_strings or [action.dest])[-1])
        for command, parser in parsers_with_actions()
        for action in parser._actions
        if action.nargs != 0 and (action.option_strings or action.metavar in INPUTS)
    ]


def quiet(run: Run) -> bool:
    told = run.out + run.err + b"".join(file.read_bytes() for file in run.folder.glob("out*") if file.is_file())
    return not any(word.encode() in told for word in (USER, PASSWORD, QUERY))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", arguments(), ids=" ".join)
def test_no_command_prints_what_is_secret(case: tuple[str, ...], place: str, run: Run, server: WebServer) -> None:
    *command, argument = case
    url = secret(server, run.good.name)
    word = place.format(url=url, upper=url.replace("http", "HTTP"), gone=secret(server, "gone"))
    words = [*command, *EXAMPLES[command[0]]]
    parser = dict(parsers_with_actions())[tuple(command)]
    for action in parser._actions:
        if not action.option_strings and (action.nargs != "?" or action.dest == argument):
            words.append(word if action.dest == argument else str(run.good) if action.metavar in INPUTS else VMLINUZ)
    if argument.startswith("-"):
        words += [argument, word]
    run(words)
    assert quiet(run), (run.out, run.err)
    if "--format" in parser._option_string_actions and argument != "--format":
        run([*words, "--format", "json"])
        assert quiet(run), (run.out, run.err)


def test_a_disk_without_a_device_is_told_without_its_query(run: Run, server: WebServer) -> None:
    assert run(["boot", "{good}", "--disk", secret(server, run.good.name)]) == 2
    run.refused()
    assert quiet(run) and b"--disk wants DEVICE=IMAGE" in run.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h/d?sig=s: gone", "http://h/d?…: gone"),
        ("'https://u@h:8080/d?sig=s'.", "'https://h:8080/d?…'."),
        ("http://u:p w@h/d: gone", "http://h/d: gone"),
        ("http://u:p/w@h/d: gone", "http://h/d: gone"),
        ("http://u:p?w@h/d: gone", "http://h/d: gone"),
        ("http:u:p@h/d: gone", "http:h/d: gone"),
        ("http://h/d?a=b:(hd0)/boot/x: gone", "http://h/d?…:(hd0)/boot/x: gone"),
        ("http://h:80/a@b: gone", "http://h:80/a@b: gone"),
        ("http://h/d?…: gone", "http://h/d?…: gone"),
        ("http://h/a?b=c http://u:p@i/d?e", "http://h/a?… http://i/d?…"),
        ("http://h/d: tell me@home", "http://h/d: tell me@home"),
        ("nothing of that? kind@all", "nothing of that? kind@all"),
    ],
)
def test_texts_with_addresses(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert str(UsageError(text)) == shown


def test_a_file_that_is_called_like_an_address_keeps_its_name() -> None:
    name = "http:a@b?c"
    Path(name).touch()
    assert shown_source(name) == name


def test_a_kernel_on_a_server_is_read_as_the_file(run: Run, server: WebServer) -> None:
    kernel = run.good.parent / "vmlinuz"
    assert run(["kernel", str(kernel), "--format", "json"]) == 0
    expected = json.loads(run.out)
    assert run(["kernel", secret(server, "vmlinuz"), "--format", "json"]) == 0
    told = json.loads(run.out)
    assert told.pop("kernel") == f"{server.url('vmlinuz')}?…"
    assert expected.pop("kernel") == str(kernel) and told == expected
    for words in (["extract"], ["repack", "--payload", "none"]):
        assert run([*words, str(kernel), "-o", "here"]) == 0
        assert run([*words, secret(server, "vmlinuz"), "-o", "there"]) == 0
        assert Path("here").read_bytes() == Path("there").read_bytes()
    assert run(["kernel", f"file:{kernel}"]) == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_no_more_of_a_kernel_on_a_server_is_read_than_one_has(
    ranges: bool, run: Run, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pvgrub_sim.kernels.LARGEST", 1 << 20)
    monkeypatch.setattr(server, "ranges", ranges)
    assert run(["kernel", server.url(run.good.name)]) == 2
    run.refused()
    assert b"too large for a kernel" in run.err and f"{server.url(run.good.name)}:'(hd0)".encode() in run.err


def test_a_kernel_elsewhere_is_not_written_in_place(run: Run, server: WebServer) -> None:
    before = len(server.asked)
    for kernel in (secret(server, "vmlinuz"), secret(server, run.good.name) + f":{VMLINUZ}", f"{run.good}:{VMLINUZ}"):
        assert run(["repack", kernel, "--in-place"]) == 2
        run.refused()
        assert quiet(run) and b"only a kernel file is written in place" in run.err
    assert len(server.asked) == before


def test_a_gzipped_kernel_on_a_server_is_unpacked_as_grub_does(run: Run, server: WebServer) -> None:
    assert run(["repack", str(run.good.parent / "vmlinuz"), "--payload", "elf-gz", "-o", "{out}"]) == 0
    (run.folder / "out").rename(run.good.parent / "elf.gz")
    facts = examine_kernel(server.url("elf.gz"))
    assert facts == examine_kernel(run.good.parent / "elf.gz") and facts.kind == "ELF"
