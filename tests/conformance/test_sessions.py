"""Recorded sessions at PV-GRUB's console: every byte that it prints, and how the run ends."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import Key, Verdict, boot
from tests.images import unpack_sparse

SESSIONS = Path(__file__).parents[2] / "fixtures" / "conformance" / "sessions"


@cache
def load_sessions() -> dict[str, dict[str, Any]]:
    lines = (SESSIONS / "sessions.jsonl").read_text("utf-8").splitlines()
    return {session["name"]: session for session in map(json.loads, lines)}


def keys_of(session: dict[str, Any]) -> list[Key]:
    """What the terminal sends, and when."""
    return [
        Key(bytes.fromhex(code), None if trigger == "idle" else float(trigger.removeprefix("@")))
        for trigger, _, code in session["keys"]
    ]


def play(session: dict[str, Any], folder: Path) -> Verdict:
    """The session simulated, on the disks and the PV-GRUB that it was recorded with."""
    disks = [
        (str(vbd), unpack_sparse(SESSIONS / "images" / name, folder / f"{vbd}.img")) for vbd, name in session["disks"]
    ]
    return boot(
        disks[0][1], device=disks[0][0], disks=dict(disks[1:]), pvgrub="xen-4.17", arch="x86_64",
        config=session["config"], keys=keys_of(session), memory=1700, findings=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", load_sessions())
def test_session(name: str, tmp_path: Path) -> None:
    session = load_sessions()[name]
    verdict = play(session, tmp_path)
    assert verdict.transcript == bytes.fromhex(session["raw_hex"]), session["what"]
    assert (str(verdict.outcome), verdict.entry) == (session["outcome"], session["entry"])
    errors = [[-1 if error.entry is None else error.entry, error.number] for error in verdict.errors]
    assert errors == session["errors"]
    handed_over = verdict.kernel and (verdict.kernel.size, verdict.initrd.size if verdict.initrd else 0)
    recorded = session["kernel_size"], session["module_size"]
    assert handed_over == (None if session["kernel_size"] is None else recorded)
    assert verdict.cmdline == session["cmdline"]
    assert list(verdict.writes) == [sector for _, sector in session["writes"]]


def test_findings_do_not_hang_on_what_somebody_types(tmp_path: Path) -> None:
    for name in ("fail-typed-ahead", "prompt-forever-boot", "edit-fail-fallback-none", "menu-down-boot"):
        session = load_sessions()[name]
        image = unpack_sparse(SESSIONS / "images" / session["image"], tmp_path / "disk.img")
        options: dict[str, Any] = {"pvgrub": "xen-4.17", "config": session["config"]}
        attended = boot(image, keys=keys_of(session), **options)
        assert str(attended.outcome) == session["outcome"]
        assert attended.findings == boot(image, **options).findings
