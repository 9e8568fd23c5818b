"""An entry is one of a menu: numbers of a menu that `configfile` leads to are not taken for those of the first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvgrub_sim import boot, render_report
from pvgrub_sim.model import EventKind, Verdict
from tests.findings.test_rules import of_rule, unpack
from tests.tools import run

FIRST = """default 0
timeout 0
title More
root (hd0)
configfile /boot/grub/more.lst
title Linux
root (hd0)
kernel /boot/vmlinuz root=LABEL=/ ro console=hvc0
"""
MORE = """default 1
timeout 0
title none
root (hd0)
kernel /boot/nothing
title Linux
root (hd0)
kernel KERNEL root=LABEL=/ ro console=hvc0
"""


def booted(folder: Path, kernel: str) -> Verdict:
    image = unpack("images/boots", folder)
    for name, text in (("menu.lst", FIRST), ("more.lst", MORE.replace("KERNEL", kernel))):
        (folder / name).write_text(text)
        run("debugfs", "-w", "-R", f"rm /boot/grub/{name}", image)
        run("debugfs", "-w", "-R", f"write {folder / name} /boot/grub/{name}", image)
    return boot(image.name)


def test_an_error_says_of_which_menu_its_entry_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    verdict = booted(tmp_path, "/boot/gone")
    (error,) = verdict.errors
    assert (error.menu, error.entry, error.number) == ("/boot/grub/more.lst", 1, 15)
    tried = [event for event in verdict.events if event.kind is EventKind.ENTRY]
    assert [(event.menu, event.entry) for event in tried] == [
        ("(hd0)/boot/grub/menu.lst", 0),
        ("/boot/grub/more.lst", 1),
    ]
    told = json.loads(render_report([verdict], "json"))
    assert told["errors"][0]["menu"] == "/boot/grub/more.lst"
    assert not of_rule(verdict, "kernel-missing"), "entry 1 of the first menu has its kernel"
    (finding,) = of_rule(verdict, "entry-fails")
    assert not finding.where


def test_what_boots_from_another_menu_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    verdict = booted(tmp_path, "/boot/vmlinuz")
    assert verdict.boots_default and verdict.entry == 1
    assert not [finding for finding in verdict.findings if finding.severity == "error"]
    assert not of_rule(verdict, "fallback-broken") and not of_rule(verdict, "fallback-missing")
