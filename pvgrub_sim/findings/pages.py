"""The rules' own pages: for `pvgrub-sim explain` and for docs/rules.md."""

from __future__ import annotations

import json
import re
import textwrap

from pvgrub_sim.errors import UsageError
from pvgrub_sim.findings.examine import all_rules
from pvgrub_sim.findings.rule import Rule
from pvgrub_sim.typed import Final

ABOUT: Final = {
    "filesystem": "Filesystems and partitions: what PV-GRUB does not see, or misreads",
    "menu": "menu.lst and the files that it names",
    "kernel": "Kernels that the loader refuses",
    "aws": "Limits that AWS sets",
    "outside": "What the kernel meets after the handover",
    "machine": "PV-GRUB itself",
}
"""Heading of each family."""
INTRODUCTION: Final = """\
Each finding of a report names its rule. The severity given here is the worst that a rule has: on an image whose default
entry boots, what PV-GRUB did is no error, and the finding is a warning. `pvgrub-sim explain RULE` prints the same text.
[Worked examples](findings.md) show one rule of each family from failure to cure.

A remedy changes the image in place and leaves what it copies out of it in the folder `pvgrub-sim.work`: work on a
copy of the image. Edits of one menu are one edit, which all findings that have a part in it show, and which is made
once. Lines that begin with `#` are advice: where no command does it without root, where it could lose something, and
where a name of the image holds what does not belong into a shell (quotes, backslashes, control characters, `..`,
bytes that are not UTF-8)."""
WIDTH: Final = 100
SOURCES: Final = {
    "GRUB 0.97": "https://www.gnu.org/software/grub/manual/legacy/grub.html",
    "AWS": "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/UserProvidedKernels.html",
    "Xen": "https://xenbits.xen.org/gitweb/?p=xen.git;a=tree;f=stubdom;hb=refs/tags/RELEASE-4.17.0",
    "Linux": "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/",
}
"""What the pages call their sources, and where these can be read."""
_MARKUP: Final = re.compile(r"\*\*|`")
_STRONG: Final = re.compile(r"\*\*(.+?)\*\*")


def as_text(rule: Rule) -> str:
    """A rule's page for a terminal: plain text, ending in a newline."""
    lines = [f"{rule.id} ({rule.severity}, {rule.family})", rule.title, ""]
    for paragraph in rule.doc.strip().split("\n\n"):
        plain = _STRONG.sub(r"\1", " ".join(paragraph.split()))
        lines += [textwrap.fill(plain, WIDTH, break_long_words=False, break_on_hyphens=False), ""]
    return "\n".join(lines[:-1]) + "\n"


def as_json() -> str:
    """pvgrub_sim/report/rule_pages.json, ending in a newline: what a report may say of a rule besides its finding."""
    pages = {
        name: {
            "title": _MARKUP.sub("", rule.title),
            "severity": str(rule.severity),
            "family": rule.family,
            "text": _plain(rule.doc),
            "markdown": rule.doc.strip(),
            "source": _public_source(rule.doc),
        }
        for name, rule in sorted(all_rules().items())
    }
    return json.dumps(pages, indent=1, ensure_ascii=False) + "\n"


def _plain(doc: str) -> str:
    paragraphs = (" ".join(paragraph.split()) for paragraph in doc.strip().split("\n\n"))
    return "\n\n".join(_MARKUP.sub("", paragraph) for paragraph in paragraphs)


def _public_source(doc: str) -> str:
    """Where the public can read on: the first source that a page names, of those that have an address."""
    named = doc.rpartition("**Source.**")[2]
    places = [(named.find(word), address) for word, address in SOURCES.items() if word in named]
    return min(places)[1] if places else SOURCES["Xen"]


def explain(rule: str) -> str:
    """Tell what a rule means and what to do about it: its page as plain text, ending in a newline.

    rule: the id that a Finding names. Raises UsageError for one that is not there.
    """
    rules = all_rules()
    if rule not in rules:
        from difflib import get_close_matches

        near = get_close_matches(rule, rules, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; `pvgrub-sim explain` lists them"
        raise UsageError(f"no rule is called {rule!r}{hint}")
    return as_text(rules[rule])


def as_markdown() -> str:
    """docs/rules.md, ending in a newline."""
    rules = list(all_rules().values())
    lines = [
        "# Rules",
        "",
        "<!-- Written by docs/generate.py from the rules in pvgrub_sim/findings: change them there, then run it. -->",
        "",
        INTRODUCTION,
        "",
    ]
    for family, heading in ABOUT.items():
        lines += [f"## {heading}", "", "| rule | severity | |", "|---|---|---|"]
        members = [rule for rule in rules if rule.family == family]
        lines += [f"| [{rule.id}](#{rule.id}) | {rule.severity} | {rule.title} |" for rule in members]
        lines.append("")
        for rule in members:
            lines += [f"### {rule.id} {{ #{rule.id} }}", "", f"*{rule.title}.* ({rule.severity})", ""]
            lines += [rule.doc.strip(), ""]
    return "\n".join(lines)
