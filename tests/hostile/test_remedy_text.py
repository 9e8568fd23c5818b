"""A remedy of the text report, copied with its indentation, does what it does without."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import Finding, Severity, render_report
from tests.report.verdicts import fails
from tests.tools import require

REMEDIES = {
    "here-document": "cat > out <<'END'\n  kept\nEND\necho more >> out",
    "lines": "printf '%s\\n' one > out\nprintf '%s\\n' \\\n  two >> out",
    "both": "echo first > out\ntee -a out <<END >/dev/null\n\tsecond\nEND",
}


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("name", REMEDIES)
def test_copied_as_it_stands(name: str, shell: str, tmp_path: Path) -> None:
    finding = Finding("rule", Severity.ERROR, "Something is wrong.", REMEDIES[name])
    shown = render_report([fails()._replace(findings=(finding,), plan=None)], "text").split("\n")
    begin = next(number for number, line in enumerate(shown) if line.strip() == "remedy:") + 1
    copied = "\n".join(shown[begin : shown.index("", begin)]) + "\n"
    results = []
    for folder, script in (("plain", REMEDIES[name] + "\n"), ("copied", copied)):
        place = tmp_path / folder
        place.mkdir()
        subprocess.run([require(shell)], input=script.encode(), cwd=place, check=True, timeout=20)
        results.append((place / "out").read_bytes())
    assert results[0] == results[1] != b""
