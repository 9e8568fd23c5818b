"""What every format must hold, whatever an image says."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvgrub_sim.model import Event, EventKind, Outcome, Verdict
from pvgrub_sim.report import REPORT_FORMATS, REPORTERS, render_report, reporter, words
from pvgrub_sim.report.html import MAX_STEPS
from tests import schemas
from tests.report.html_page import Page
from tests.report.verdicts import CONFIG, boots, fails, fallback, hostile, stuck
from tests.rounds import rounds

ALL = [boots(), fallback(), fails(), hostile(), *(stuck(outcome) for outcome in Outcome)]


@pytest.mark.parametrize("name", REPORT_FORMATS)
def test_every_format_is_a_reporter(name: str) -> None:
    assert reporter(name).MEDIA_TYPE
    assert REPORTERS[name][1]
    assert render_report(ALL, name).endswith("\n")
    assert render_report(ALL[:1], name).encode("utf-8"), "can be written to a file"
    assert render_report([], name)


@pytest.mark.parametrize("name", REPORT_FORMATS)
def test_every_format_can_be_written_whatever_an_image_says(name: str) -> None:
    render_report([hostile()], name).encode("utf-8")


# --- json


def test_json_is_one_object_for_one_image() -> None:
    told = json.loads(render_report([fallback()], "json"))
    assert told["format_version"] == 1
    assert told["image"] == "images/old kernel,50%.img"
    assert told["kernel"]["crc32"] == "7a1c794e"
    assert told["kernel"]["payload"] == "xz"
    assert told["initrd"] is None
    command = "kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro"
    error = {"entry": 0, "number": 15, "message": "File not found", "command": command, "detail": ""}
    assert told["errors"] == [error | {"menu": "(hd0,0)/boot/grub/menu.lst"}]


@pytest.mark.parametrize("count", [0, 2])
def test_json_has_a_list_for_several_images(count: int) -> None:
    told = json.loads(render_report([boots(), fails()][:count], "json"))
    assert told["format_version"] == 1
    assert len(told["images"]) == count


def test_json_gives_back_what_an_image_says() -> None:
    told = json.loads(render_report([hostile()], "json"))
    assert told["console"] == hostile().console
    assert told["image"] == hostile().image


# --- sarif


@pytest.mark.parametrize("verdicts", [ALL, ALL[:1], []], ids=["all", "one", "none"])
def test_sarif_is_valid_against_the_published_schema(verdicts: list[Verdict]) -> None:
    assert schemas.problems(schemas.SARIF, json.loads(render_report(verdicts, "sarif"))) == []


def test_sarif_has_a_result_for_each_finding_and_each_failure() -> None:
    run = json.loads(render_report([boots(), fallback(), fails()], "sarif"))["runs"][0]
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("pvgrub-outcome", "warning"),
        ("kernel-missing", "error"),
        ("default-entry-fails", "warning"),
        ("no-console-hvc0", "note"),
        ("pvgrub-outcome", "error"),
        ("payload-unsupported", "error"),
    ]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][location["index"]]["location"]["uri"] == location["uri"]


@pytest.mark.parametrize(
    ("image", "uri"),
    [
        ("a/b c.img", "a/b%20c.img"),
        ("C:d.img", "C%3Ad.img"),
        ("/srv/ö.img", "file:///srv/%C3%B6.img"),
        ("https://example.org/a.img?x=1", "https://example.org/a.img?x=1"),
    ],
)
def test_sarif_names_images_by_uri(image: str, uri: str) -> None:
    run = json.loads(render_report([fails()._replace(image=image)], "sarif"))["runs"][0]
    assert run["artifacts"][0]["location"]["uri"] == uri


# --- junit


def test_junit_counts_and_console() -> None:
    root = ET.fromstring(render_report(ALL, "junit"))
    suite = root[0]
    assert suite.get("tests") == root.get("tests") == str(len(ALL))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    case = suite[1]
    assert case.get("name") == fallback().image
    assert case.findtext("system-out") == fallback().console
    assert "Error 15: File not found" in (case.findtext("failure") or "")
    assert "  Booting" not in (case.findtext("failure") or "")


def test_junit_takes_a_fallback_when_it_is_allowed() -> None:
    assert "<failure" in render_report([fallback()], "junit")
    assert "<failure" not in render_report([fallback()], "junit", allow_fallback=True)
    assert "<failure" in render_report([fails()], "junit", allow_fallback=True)


# --- github


def test_github_lines_that_an_image_dictates_are_no_commands() -> None:
    lines = render_report([hostile()], "github").split("\n")
    stop = next(line for line in lines if line.startswith("::stop-commands::"))
    token = stop.removeprefix("::stop-commands::")
    start, end = lines.index(stop), lines.index(f"::{token}::")
    assert r"\x3a:error::injected" in lines[start:end]
    assert r"\x23#[error]injected" in lines[start:end]
    assert not [line for line in lines[start + 1 : end] if line.strip().startswith("::") or "##[" in line]
    commands = [line for number, line in enumerate(lines) if not start < number < end and line]
    assert all(re.match(r"::(error|warning|notice|group|endgroup|stop-commands|[0-9a-f]{64})\b", c) for c in commands)


def test_github_escapes_properties_and_data() -> None:
    first = render_report([fallback()], "github").split("\n")[0]
    assert first.startswith("::warning file=images/old kernel%2C50%25.img,title=PV-GRUB%3A boots only by fallback::")
    assert render_report([fallback()], "github", allow_fallback=True).startswith("::notice ")
    assert render_report([fails()], "github").startswith("::error ")
    assert "%0ARemedy:%0Als -l /boot%0Ased" in render_report([fallback()], "github")


# --- html


@pytest.mark.parametrize("verdicts", [ALL, [boots()], [hostile()], []], ids=["all", "boots", "hostile", "none"])
def test_html_is_balanced_self_contained_and_without_scripts(verdicts: list[Verdict]) -> None:
    text = render_report(verdicts, "html")
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "b"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert {reference.removeprefix("#") for reference in page.references} <= set(page.ids)
    assert not re.search(r"(https?:)?//(?!\s)|@import|url\(", text)
    assert page.tags.count("h1") == 1


def test_html_draws_every_part_and_says_where_the_menu_was_read() -> None:
    text = render_report([boots()], "html")
    for part in boots().layout:
        assert part.label in text
    assert text.count("<svg ") == 2
    assert text.count("menu read here") == 1
    assert text.count(' read"><title>(hd0,0)') == 1


def test_html_cuts_a_chain_that_never_ends() -> None:
    events = [Event(EventKind.COMMAND, "configfile /boot/grub/menu.lst")] * (MAX_STEPS + 1000)
    text = render_report([stuck(Outcome.HANG, "", *events)], "html")
    assert text.count('<li class="command">') == MAX_STEPS
    assert "and 1,000 more steps" in text


# --- words


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (boots(), "PV-GRUB boots entry 0 'Amazon Linux', the default, and hands over to the kernel /boot/vmlinuz-6.1."),
        (
            fallback(),
            "PV-GRUB boots entry 1 'Fallback' because entry 0 'Vanilla Linux 4.3' failed: "
            "Error 15: File not found (kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro).",
        ),
        (
            boots()._replace(
                entry=1,
                events=(
                    Event(EventKind.CONFIG, path=CONFIG),
                    Event(EventKind.ENTRY, "More", entry=0),
                    Event(EventKind.CONFIG, path="(hd0,0)/more.lst"),
                    Event(EventKind.ENTRY, "Linux", entry=1),
                ),
            ),
            "PV-GRUB boots entry 1 'Linux' of (hd0,0)/more.lst and hands over to the kernel /boot/vmlinuz-6.1.",
        ),
        (
            fails(),
            "The instance never comes up: entry 0 'Debian' failed: Error 9: Unknown boot failure "
            "(boot: this PV-GRUB does not unpack zstd payloads); "
            "entry 1 'Rescue' failed: Error 17: Cannot mount selected partition (kernel /vmlinuz), "
            "and PV-GRUB waits for a key that nobody can press.",
        ),
        (
            stuck(Outcome.PROMPT, config=None),
            "The instance never comes up: PV-GRUB finds no config file and stays at its grubdom> prompt.",
        ),
        (
            stuck(Outcome.PROMPT),
            f"The instance never comes up: PV-GRUB finds no menu entry in {CONFIG} and stays at its grubdom> prompt.",
        ),
        (
            stuck(Outcome.MENU, "PV-GRUB waits in the menu", Event(EventKind.CONFIG, path=CONFIG)),
            "The instance never comes up: no timeout is set, so PV-GRUB waits in its menu, where nobody chooses.",
        ),
        (
            stuck(Outcome.MENU, "", Event(EventKind.ENTRY, "Empty", entry=2)),
            "The instance never comes up: entry 2 'Empty' ends without booting a kernel, "
            "and PV-GRUB is back in its menu, where nobody chooses.",
        ),
        (
            stuck(Outcome.MENU, "", Event(EventKind.ENTRY, "Other", entry=2), Event(EventKind.CONFIG, path=CONFIG)),
            "The instance never comes up: no timeout is set, so PV-GRUB waits in its menu, where nobody chooses.",
        ),
        (
            stuck(Outcome.WAITS, "the pager waits for return", Event(EventKind.ENTRY, "A", entry=0)),
            "The instance never comes up: the pager waits for return in entry 0 'A', and nobody is there.",
        ),
        (
            stuck(Outcome.WAITS),
            "The instance never comes up: PV-GRUB waits for a key or a password, and nobody is there.",
        ),
        (
            stuck(Outcome.HALT, "", Event(EventKind.ENTRY, "A", entry=0)),
            "The instance stops: PV-GRUB halts it in entry 0 'A' and no kernel runs.",
        ),
        (
            stuck(Outcome.REBOOT),
            "The instance never comes up: PV-GRUB reboots it, every time it gets there.",
        ),
        (
            stuck(Outcome.HANG, "a directory entry of length 0."),
            "The instance never comes up: PV-GRUB itself never ends: a directory entry of length 0.",
        ),
        (
            stuck(Outcome.CRASH, "division by zero"),
            "The instance never comes up: PV-GRUB itself dies: division by zero.",
        ),
    ],
    ids=lambda value: value.outcome if isinstance(value, Verdict) else "",
)
def test_the_verdict_in_one_sentence(verdict: Verdict, sentence: str) -> None:
    assert words.headline(verdict) == sentence
    assert sentence in render_report([verdict], "text").replace("\n  ", " ")


def test_only_the_handover_is_claimed() -> None:
    assert words.HANDED_OVER_ONLY in render_report([boots()], "text").replace("\n  ", " ")
    assert words.HANDED_OVER_ONLY not in render_report([fails()], "text").replace("\n  ", " ")


LEFT_OUT = "not everything was looked at: more is on disk.img than on a sound image"


@pytest.mark.parametrize("name", ["text", "github", "html"])
@pytest.mark.parametrize("verdict", [boots(), fails(), fallback(), stuck(Outcome.PROMPT), stuck(Outcome.HALT)])
def test_a_verdict_says_that_not_everything_was_looked_at(name: str, verdict: Verdict) -> None:
    told = render_report([verdict._replace(reason=LEFT_OUT)], name)
    assert len(re.findall(r"[Nn]ot\s+everything\s+was\s+looked\s+at", told)) == 1


def test_summary_of_several_images() -> None:
    assert words.summary([boots(), fallback(), fails(), fails()]) == (
        "4 images: 1 boots, 1 boots only by fallback, 2 do not come up."
    )
    assert render_report([boots(), fails()], "text").endswith("2 images: 1 boots, 1 does not come up.\n")


@settings(max_examples=rounds(50, otherwise=10), deadline=None)
@given(st.text(st.characters(codec=None), max_size=60))
def test_no_control_character_gets_through(text: str) -> None:
    verdict = hostile()._replace(console=text, image=text, config=text)
    for name in REPORT_FORMATS:
        told = render_report([verdict], name)
        told.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told), name
    ET.fromstring(render_report([verdict], "junit"))
    json.loads(render_report([verdict], "json"))
    Page(render_report([verdict], "html"))
