"""The syntax of a domain's configuration: names, and values that are texts, numbers or lists.

As xl reads it (tools/libs/util/libxlu_cfg_l.l and libxlu_cfg_y.y of Xen 4.22; docs/man/xl.cfg.5.pod.in): no program,
which files of the old `xm` were.
"""

from __future__ import annotations

import re

from pvgrub_sim.errors import UsageError
from pvgrub_sim.typed import Final

Value = str | list["Value"]

DEEPEST: Final = 20
"""Lists within lists; xl itself has no limit, and no key that wants more than two."""
_TOKEN: Final = re.compile(
    r"""[ \t]+
    |(?P<ident>[a-z][._0-9a-z]*)
    |(?P<number>[0-9][0-9a-fx]*)
    |(?P<mark>\+=|[=,;\[\]])
    |(?P<newline>(?:\#.*)?\n)
    |(?P<string>'(?:[^'\\\n]++|\\.)*+'|"(?:[^"\\\n]++|\\.)*+")
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(?:([\"'\\abfnrtv])|[0-7]([0-9]{2,3})|(.))")
_ESCAPED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(text: str, name: str) -> dict[str, Value]:
    """The values of a configuration by their keys; of a key that is set twice the last one counts.

    name: of the file, for messages. Raises UsageError, which names file and line, for what xl does not read.
    """
    return _Parser(text, name).parse()


def _sum(summands: list[Value]) -> Value:
    """Texts or lists behind each other, all at once: each sum would be a copy of the one before."""
    texts = [one for one in summands if isinstance(one, str)]
    return "".join(texts) if texts else [value for one in summands for value in one]


class _Parser:
    """Goes through the tokens once, one ahead."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._line = 1
        self._kind, self._word = "", ""
        self._advance()

    def parse(self) -> dict[str, Value]:
        """All assignments, as `file` of the grammar."""
        values: dict[str, list[Value]] = {}
        while self._kind:
            if self._kind == "newline" or self._word == ";":
                self._advance()
                continue
            key = self._take("ident", "a name")
            if self._word not in ("=", "+="):
                raise self._error(f"`=` is missing behind {key}")
            adds = self._word == "+="
            self._advance()
            value = self._value(0)
            if not adds:
                values[key] = []
            summands = values.setdefault(key, [])
            if summands and type(summands[0]) is not type(value):
                raise self._error(f"{key}: a list and a text cannot be added up")
            summands.append(value)
            if self._kind not in ("", "newline") and self._word != ";":
                raise self._error(f"what stands behind the value of {key} is none of it")
        return {key: _sum(summands) for key, summands in values.items()}

    def _value(self, depth: int) -> Value:
        if self._kind in ("string", "number"):
            word, kind = self._word, self._kind
            self._advance()
            return self._unquoted(word[1:-1]) if kind == "string" else word
        if self._word != "[" or self._kind != "mark":
            raise self._error("a value is missing: a text in quotes, a number or a list")
        if depth == DEEPEST:
            raise self._error("lists within lists within lists")
        self._advance()
        return self._list(depth + 1)

    def _list(self, depth: int) -> Value:
        """A list, from behind its bracket; new lines may stand between its values."""
        found: list[Value] = []
        while True:
            self._skip_lines()
            if self._is_mark("]"):
                break
            found.append(self._value(depth))
            self._skip_lines()
            if self._is_mark(","):
                self._advance()
            elif not self._is_mark("]"):
                raise self._error("a list is not ended: `,` or `]` is missing")
        self._advance()
        return found

    def _unquoted(self, inner: str) -> str:
        """A text without its escapes (libxlu_cfg.c:xlu__cfgl_dequote)."""

        def unescape(match: re.Match[str]) -> str:
            if match[3] is not None:
                raise self._error(f"\\{match[3]} is no escape that xl knows")
            # QUIRK: a number's value is computed, and goes nowhere.
            return "" if match[1] is None else _ESCAPED.get(match[1], match[1])

        return _ESCAPE.sub(unescape, inner)

    def _is_mark(self, mark: str) -> bool:
        return self._kind == "mark" and self._word == mark

    def _skip_lines(self) -> None:
        while self._kind == "newline":
            self._advance()

    def _take(self, kind: str, what: str) -> str:
        if self._kind != kind:
            raise self._error(f"{what} is missing")
        word = self._word
        self._advance()
        return word

    def _advance(self) -> None:
        """The next token that counts; kind "" at the end."""
        if self._kind == "newline":
            self._line += 1
        while self._at < len(self._text):
            match = _TOKEN.match(self._text, self._at)
            if match is None and self._at == len(self._text) - 1:
                # QUIRK: a single character in the wrong place at the very end of a file without a newline is dropped.
                break
            if match is None:
                raise self._error("is no syntax of xl's (no program either, as it was for xm)")
            self._at = match.end()
            if match.lastgroup is not None:
                self._kind, self._word = match.lastgroup, match[match.lastgroup]
                return
        self._kind, self._word = "", ""

    def _error(self, what: str) -> UsageError:
        return UsageError(f"{self._name}: line {self._line}: {what}")
