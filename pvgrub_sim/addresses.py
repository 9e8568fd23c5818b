"""Addresses of the web in texts: what is secret in them is shown nowhere.

An image's own address is shown as media.sources.shown_source() has it. This is for all other texts, such as an error
that quotes whatever somebody has written where no address was expected.
"""

from __future__ import annotations

from functools import cache

from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import re


def without_secrets(text: str) -> str:
    """A text without user, password and query of the http addresses in it; of a query `?…` stays."""
    user, odd_user, query = _patterns()
    return query.sub(r"\1?…", odd_user.sub(r"\1", user.sub(r"\1", text)))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    import re

    return (
        re.compile(r"(?i)(https?:/*)(?:(?<=//)[^/?#\n]*|[^/?#\s]*)@"),
        # A password with a slash or a question mark in it, which stand behind a colon where no port does.
        re.compile(r"(?i)(https?:/*)[^/@\s]*:(?!\d*/)\S*@"),
        # To the end of the word, or to the path of a kernel on an image; quotes and marks behind it are not of it.
        re.compile(r"(?i)(https?:[^\s?#]*)[?#]\S*?(?=['\"]?[:,;.)]?(?:\s|$)|:\((?:hd|fd)\d)"),
    )
