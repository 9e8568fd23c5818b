"""XML of machines and manifests, from strangers: small, without entities, and without its namespaces."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, XMLParser

from pvgrub_sim.errors import ImageError

LONGEST = 16 << 20
"""Bytes; ova.xml of a machine with many snapshots has some hundred thousand."""
DEEPEST = 200
MOST_ELEMENTS = 300_000
"""Elements and attributes: each takes some hundred bytes of memory, however short it is."""


class _Limited:
    """Builds the tree as ElementTree does, and refuses one that is endlessly deep or large."""

    def __init__(self) -> None:
        from xml.etree.ElementTree import TreeBuilder

        self._builder = TreeBuilder()
        self._depth = 0
        self._left = MOST_ELEMENTS

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"elements more than {DEEPEST} deep")
        self._left -= 1 + len(attributes)
        if self._left < 0:
            raise ValueError(f"more than {MOST_ELEMENTS} elements")
        plain = {_local(name): value for name, value in attributes.items()}
        return self._builder.start(_local(tag), plain)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return self._builder.end(_local(tag))

    def data(self, text: str) -> None:
        self._builder.data(text)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("a document type declaration, which such a file has not")

    def close(self) -> Element:
        return self._builder.close()


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def parse_xml(name: str, raw: bytes) -> Element:
    """The root element; names are without their namespaces. Raises ImageError in one line."""
    if len(raw) > LONGEST:
        raise ImageError(name, f"more than {LONGEST} bytes of XML")
    parser = XMLParser(target=_Limited())
    try:
        parser.feed(raw)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise ImageError(name, f"is damaged (XML: {' '.join(str(error).split())})") from None
    return root


def text_of(parent: Element, path: str) -> str:
    """The text of the first element on a path, without blanks around it; empty where there is none."""
    return (parent.findtext(path) or "").strip()
