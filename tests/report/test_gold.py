"""Each format, to the letter, for hand-built verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

import pytest

from pvgrub_sim import __version__
from pvgrub_sim.model import Verdict
from pvgrub_sim.report import REPORT_FORMATS, render_report
from pvgrub_sim.safetext import disarmed_json
from tests.report import verdicts
from tests.report.gold import GOLD, compare

SUFFIX = {"text": "txt", "json": "json", "junit": "xml", "sarif": "sarif", "github": "txt", "html": "html"}
PAGES = json.loads(files("pvgrub_sim.report").joinpath("rule_pages.json").read_text("utf-8"))
STYLE = files("pvgrub_sim.report").joinpath("style.css").read_text(encoding="utf-8")
CASES: dict[str, Sequence[Verdict]] = {
    "boots": [verdicts.boots()],
    "fallback": [verdicts.fallback()],
    "fails": [verdicts.fails()],
    "hostile": [verdicts.hostile()],
    "several": [verdicts.boots(), verdicts.fallback(), verdicts.fails()],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("format_name", REPORT_FORMATS)
def test_report_is_as_the_gold_file_says(format_name: str, name: str) -> None:
    text = render_report(CASES[name], format_name)
    text = text.replace(f'"{__version__}"', '"VERSION"').replace(STYLE, "/* style.css */\n")
    if format_name == "sarif":
        text = without_pages(text)
    compare(format_name, f"{name}.{SUFFIX[format_name]}", text)


def without_pages(sarif: str) -> str:
    """The report without the texts of the rules' own pages, which may be mended at any time."""
    told = json.loads(sarif)
    for rule in told["runs"][0]["tool"]["driver"]["rules"]:
        if page := PAGES.get(rule["id"]):
            assert rule["fullDescription"]["text"] and page["text"].startswith(rule["fullDescription"]["text"])
            assert rule["help"]["text"].startswith(page["text"]) and page["markdown"] in rule["help"]["markdown"]
            rule["fullDescription"] = rule["help"] = rule["shortDescription"] = {"text": "as the page has it"}
    return disarmed_json(json.dumps(told, indent=2)) + "\n"


def test_no_gold_file_is_left_over() -> None:
    expected = {f"{format_name}/{name}.{SUFFIX[format_name]}" for format_name in REPORT_FORMATS for name in CASES}
    expected |= {"text/fallback-color.txt", "fleet/text.txt"}
    held = {path.relative_to(GOLD).as_posix() for path in GOLD.rglob("*") if path.is_file()}
    assert {path for path in held if not path.startswith("actual/")} == expected


def test_text_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    compare("text", "fallback-color.txt", render_report([verdicts.fallback()], "text", color=True))


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert render_report([verdicts.fallback()], "text", color=True) == render_report([verdicts.fallback()], "text")


def test_an_empty_no_color_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[" in render_report([verdicts.fallback()], "text", color=True)
