"""The pytest plugin, run by pytest itself on small test files."""

from __future__ import annotations

from pathlib import Path

import pytest

import pvgrub_sim
from pvgrub_sim.model import Verdict
from tests.report import verdicts

pytest_plugins = ["pytester"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, dict[str, object]]]:
    """Replaces the simulation by hand-built verdicts, named by the image; collects what it was asked."""
    asked: list[tuple[object, dict[str, object]]] = []

    def boot(image: object, **options: object) -> Verdict:
        asked.append((image, options))
        verdict: Verdict = getattr(verdicts, Path(str(image)).stem)()
        return verdict

    monkeypatch.setitem(vars(pvgrub_sim), "boot", boot)
    return asked


def test_fixture_hands_options_on(pytester: pytest.Pytester, told: list[tuple[object, dict[str, object]]]) -> None:
    pytester.makepyfile(
        """
        def test_image(pvgrub_boot):
            verdict = pvgrub_boot("boots.img", pvgrub="amazon-1.04", arch="x86_64")
            assert verdict.boots_default
            assert verdict.outcome == "boots"
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert told == [("boots.img", {"pvgrub": "amazon-1.04", "arch": "x86_64"})]


@pytest.mark.usefixtures("told")
def test_failed_outcome_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_image(pvgrub_boot):
            pvgrub_boot("boots.img")
            verdict = pvgrub_boot("fails.img")
            assert verdict.outcome == "boots"
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E  *AssertionError: assert 'fails' == 'boots'",
            "E  *images/zstd.img: The instance never comes up: entry 0 'Debian' failed: *",
            "E  *entry 0: Error 9: Unknown boot failure: boot: this PV-GRUB does not unpack zstd payloads",
            "E  *entry 1: Error 17: Cannot mount selected partition: kernel /vmlinuz",
            "E  *error payload-unsupported: *",
            "*- pvgrub-sim: images/good.img -*",
            "*- pvgrub-sim: images/zstd.img -*",
            "  The instance never comes up: *",
            "  | Error 9: Unknown boot failure",
            "      pvgrub-sim repack --payload gzip vmlinuz-6.1 -o vmlinuz-6.1.gzip",
        ]
    )
    assert not [line for line in result.outlines if line.startswith("E") and "good.img" in line]


@pytest.mark.usefixtures("told")
def test_any_failed_assertion_gets_the_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_image(pvgrub_boot):
            assert pvgrub_boot("fallback.img").boots_default
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*- pvgrub-sim: images/old kernel,50%.img -*", "  PV-GRUB boots entry 1 'Fallback' because entry 0 *"]
    )


@pytest.mark.usefixtures("told")
def test_verdicts_that_differ_are_compared_by_field(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_image(pvgrub_boot):
            assert pvgrub_boot("boots.img") == pvgrub_boot("fallback.img")
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["E  *the verdicts differ", "E  *entry:", "E  *0", "E  *1", "E  *errors:"])


@pytest.mark.usefixtures("told")
def test_other_comparisons_and_passing_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_words():
            assert "fails" == "boots"

        def test_passes(pvgrub_boot):
            assert not pvgrub_boot("fails.img").boots_default
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*pvgrub-sim: *")


def test_fixture_is_listed_with_its_documentation(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--fixtures", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["pvgrub_boot -- *pytest_plugin.py:*", "*Tell what PV-GRUB would do*"])
