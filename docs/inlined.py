"""Files that pages show: they stand in the pages themselves, so that a page is whole wherever it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PLACE = re.compile(r"^(<!-- inlined: (\S+) -->\n(```+)\w*\n)(?:.*?\n)??(\3)$", re.MULTILINE | re.DOTALL)


def inlined(page: str) -> str:
    """A page with the files that its comments name, each in the fenced block behind its comment."""

    def fill(match: re.Match[str]) -> str:
        content = (ROOT / match[2]).read_text(encoding="utf-8").rstrip("\n")
        assert match[3] not in content, f"{match[2]} would end its block"
        return f"{match[1]}{content}\n{match[4]}"

    return _PLACE.sub(fill, page)


def _writer(page: Path) -> Callable[[], str]:
    return lambda: inlined(page.read_text(encoding="utf-8"))


PAGES = tuple(
    (page, _writer(page)) for page in sorted((ROOT / "docs").glob("*.md")) if _PLACE.search(page.read_text("utf-8"))
)
"""The pages that show files, and what writes each."""
