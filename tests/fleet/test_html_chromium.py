"""The page of ten thousand images in a real browser: it is drawn as meant, narrow and wide, and opens quickly."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import ScanResult, fleet_report
from pvgrub_sim.fleet.store import Store
from pvgrub_sim.fleet.values import ScanSettings, ScanState, Target
from tests.report.test_html_chromium import FLAGS, SHOTS
from tests.tools import require

IMAGES = 10_000
FEW = 300
REGIONS = ("eu-west-1", "us-east-1", "ap-northeast-1")
FATES: tuple[tuple[str, bool, str, dict[str, str]], ...] = (
    ("boots", True, "PV-GRUB boots entry 0 'Amazon Linux 2015.09 (4.1.10-17.31.amzn1.x86_64)'.", {}),
    ("boots", False, "PV-GRUB boots entry 1: entry 0 fails: File not found.", {"kernel-missing": "error"}),
    ("prompt", False, "The instance never comes up: no config file.", {"menu-not-found": "error"}),
    ("fails", False, "The instance never comes up: entry 0 fails.", {"payload-unsupported": "error"}),
)


def row(number: int) -> ScanResult:
    """One of many images, whose fates take turns."""
    outcome, boots_default, headline, rules = FATES[number % 7 % 4]
    name = f"account/{number % 97:02}/ubuntu-{number:05}-lucid-10.04-amd64-server-2012{number % 12:02}.img"
    state = ScanState.KILLED if number % 999 == 0 else ScanState.VERDICT
    return ScanResult(
        f"/images/{name}", "amazon-1.05", name, "/images", str(number), REGIONS[number % 3], state,
        "took longer than 60 s" if state is ScanState.KILLED else "", outcome, boots_default, 0, "amazon-1.05",
        "x86_64", "", rules, f"2.6.32-{number % 40}-server (buildd) #1", ("gzip", "xz")[number % 2], headline, 0.01,
        "0.1.0", "",
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all images."""
    return written(tmp_path_factory.mktemp("fleet-html"), IMAGES)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of some images."""
    return written(tmp_path_factory.mktemp("fleet-html-short"), FEW)


def written(folder: Path, number: int) -> Path:
    """The page of so many images, in a folder."""
    store = Store(folder / "scan.db", write=True)
    store.begin([Target("/made", "made", "/made")], ["amazon-1.05"], ScanSettings(), "{}")
    store.write([row(index) for index in range(number)])
    store.finish()
    store.close()
    path = folder / "fleet.html"
    path.write_bytes(b"".join(fleet_report(folder / "scan.db", "html")))
    return path


def chromium(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [require("chromium"), *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("width", [400, 1600])
def test_it_is_drawn_at_both_widths(page: Path, width: int) -> None:
    shot = page.with_name(f"fleet-{width}.png")
    chromium(page.parent, f"--window-size={width},1800", f"--screenshot={shot}", page.as_uri())
    assert shot.stat().st_size > 20_000
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        Path(SHOTS, shot.name).write_bytes(shot.read_bytes())


PROBE = """
<script>
addEventListener("load", () => {
  const rows = [...document.querySelectorAll("#images tbody > tr")];
  const told = {rows: rows.length, hidden: 0, first: "", wide: document.documentElement.scrollWidth - innerWidth};
  const words = document.getElementById("words");
  words.value = "killed";
  document.getElementById("status").value = "killed";
  document.getElementById("status").dispatchEvent(new Event("change"));
  told.hidden = rows.filter((row) => row.hidden).length;
  const head = document.querySelector("#images thead button");
  head.click(); head.click();
  told.first = document.querySelector("#images tbody > tr th").textContent;
  told.opened = Math.round(performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart);
  document.title = JSON.stringify(told);
});
</script>
"""


def probed(page: Path, width: int, *, scripts: bool = True) -> dict[str, object]:
    """What a script beside the page's own sees there, when it filters and sorts."""
    text = page.read_text(encoding="utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text)
    assert policy is not None
    copy = page.with_name(f"probe-{width}.html")
    copy.write_text(text.replace(policy[0], "").replace("</body>", PROBE + "</body>"), encoding="utf-8")
    tree = chromium(page.parent, f"--window-size={width},1000", "--dump-dom", copy.as_uri())
    title = re.search(r"<title>(.*?)</title>", tree)
    assert title is not None
    told: dict[str, object] = json.loads(title[1].replace("&quot;", '"'))
    return told


@pytest.mark.parametrize("width", [500, 1600])
def test_it_filters_and_sorts_and_does_not_overflow(page: Path, width: int) -> None:
    told = probed(page, width)
    killed = sum(number % 999 == 0 for number in range(IMAGES))
    assert told["rows"] == IMAGES
    assert told["hidden"] == IMAGES - killed
    assert told["first"] == max(row(number).name for number in range(IMAGES))
    assert told["wide"] == 0, "the page itself is not wider than the window"


def test_its_own_policy_lets_its_script_run_and_no_other(short: Path) -> None:
    tree = chromium(short.parent, "--dump-dom", short.as_uri())
    assert f"{FEW:,} of {FEW:,}</output>" in tree
    injected = short.with_name("injected.html")
    text = short.read_text(encoding="utf-8").replace("</body>", "<script>document.title = 'obeyed'</script></body>")
    injected.write_text(text, encoding="utf-8")
    assert "<title>obeyed" not in chromium(short.parent, "--dump-dom", injected.as_uri())


def test_it_can_be_read_without_its_script(short: Path) -> None:
    bare = short.with_name("bare.html")
    text = re.sub(r"<script>.*?</script>", "", short.read_text(encoding="utf-8"), flags=re.DOTALL)
    bare.write_text(text, encoding="utf-8")
    tree = chromium(short.parent, "--dump-dom", bare.as_uri())
    assert tree.count('<th scope="row">account/') == FEW
    assert '<form id="filter" hidden' in tree, "what would need the script is not shown"
