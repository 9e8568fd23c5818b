"""What no output may hold, told by Unicode's categories and by what CI runners look for."""

from __future__ import annotations

import re
import unicodedata

OWN_COMMAND = re.compile(
    r"::(error|warning|notice) file=[^\n]*|::(group|stop-commands)::[^\n]*|::(endgroup|[0-9a-f]{64})::"
)
"""The workflow commands that the github format is made of."""


def dangers(output: bytes, *, commands: bool = False) -> list[str]:
    """What in an output would steer a terminal or a CI runner. commands: it is the github format."""
    text = output.decode("utf-8")
    found = []
    for line in text.split("\n"):
        if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in line.replace("\t", " ")):
            found.append(f"a control character: {line!a}")
        # .NET's Trim() and str.strip() agree on what is white space.
        if line.strip().startswith("::") and not (commands and OWN_COMMAND.fullmatch(line)):
            found.append(f"a workflow command: {line!a}")
        if "##[" in line or re.search(r"##\w+\[", line):
            found.append(f"a runner's command: {line!a}")
    return found
