"""Compares a verdict with a recorded case, by the rules of fixtures/conformance/README.md."""

from __future__ import annotations

import re
from typing import Any

from pvgrub_sim.model import Verdict

_SOURCE_LINE = re.compile(r"(\bx[cg]_\w+\.c):\d+:")
_INNER = ("decompress_unsafe.c", "xc_dom_do_gunzip")


def comparable_lines(console: str, source_lines: bool = False) -> list[str]:
    """A console's lines as they are compared, the decoders' inner messages dropped.

    source_lines: keep the numbers of source lines, which are dropped else.
    """
    lines = []
    for line in console.split("\n"):
        if any(word in line for word in _INNER) or line.strip() == ": Invalid kernel":
            continue
        lines.append(" ".join((line if source_lines else _SOURCE_LINE.sub(r"\1:", line)).split()))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def differences(case: dict[str, Any], verdict: Verdict, *, source_lines: bool = False) -> list[str]:
    """What differs between the recording and the verdict, one line each; empty when they agree.

    source_lines: as for comparable_lines().
    """
    found: list[str] = []

    def check(name: str, expected: Any, actual: Any) -> None:
        if expected != actual:
            found.append(f"{name}: recorded {expected!r}, simulated {actual!r}")

    check("outcome", case["outcome"], str(verdict.outcome))
    check("entry", case["entry"], verdict.entry)
    check("errors", case["errors"], [[error.entry, error.number] for error in verdict.errors])
    if case["kernel_size"] is None:
        check("kernel", None, verdict.kernel)
    else:
        check("kernel_size", case["kernel_size"], verdict.kernel and verdict.kernel.size)
        check("module_size", case["module_size"], verdict.initrd.size if verdict.initrd else 0)
        check("cmdline", case["cmdline"], verdict.cmdline)
        if "kernel_crc32" in case:
            check("kernel_crc32", case["kernel_crc32"], verdict.kernel and f"{verdict.kernel.crc32:08x}")
        if case.get("module_crc32") is not None and case["module_size"]:
            check("module_crc32", case["module_crc32"], verdict.initrd and f"{verdict.initrd.crc32:08x}")
    check("writes", case.get("writes", []), list(verdict.writes))
    expected, actual = (comparable_lines(text, source_lines) for text in (case["console"], verdict.console))
    if expected != actual:
        found.append("console:\n--- recorded\n" + "\n".join(expected) + "\n--- simulated\n" + "\n".join(actual))
    return found
