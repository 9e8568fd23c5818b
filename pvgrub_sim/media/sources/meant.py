"""What somebody may have meant by a name under which there is no file: one line, and how it is written here."""

from __future__ import annotations

import re

from pvgrub_sim.typed import Final

_IDS: Final = (
    (re.compile(r"snap-[0-9a-f]{8,17}"), "an EBS snapshot is written ebs:{}"),
    (re.compile(r"ami-[0-9a-f]{8,17}"), "an AMI is written ami:{}"),
    (
        re.compile(r"vol-[0-9a-f]{8,17}"),
        "an EBS volume is not read: make a snapshot of it, which is written ebs:snap-…",
    ),
)
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_READ: Final = "http://, https://, s3://, gs:// and abfs:// are read here"


def meant_by(name: str) -> str:
    """Why there is no such file, and what to write; empty where the name looks like a file's."""
    if name == "-":
        return "images are not read from standard input: write it to a file first, compressed or not, and name that"
    for pattern, words in _IDS:
        if pattern.fullmatch(name):
            return f"no such file; {words.format(name)}"
    match = _ADDRESS.match(name)
    if match is None:
        return ""
    if match[1].lower() == "file":
        return "no such file; a file of this machine is written file:///folder/disk.img, or as its path alone"
    return f"no such file, and {match[1]}:// is not read here: fetch it to a file, and name that ({_READ})"


def bare_address(name: str) -> str:
    """An address without user, password and query, as of any scheme; anything else as it is."""
    if _ADDRESS.match(name) is None:
        return name
    head, mark, _ = name.partition("?")
    return re.sub(r"://[^/]*@", "://", head) + ("?…" if mark else "")
