"""Fleets to scan: folders of the bundled images, with what lies beside images in real folders."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pvgrub_sim import ScanResult
from pvgrub_sim.fleet.store import Store
from tests.images import unpack_sparse
from tests.rounds import spread

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
AMAZON = FIXTURES / "conformance" / "amazon"

FAULTS = '''
"""Makes images with telling names do to their reader what broken storage and broken decoders do."""
import os, time, _io

_open = os.open

def opened(path, *args, **kwargs):
    name = os.path.basename(os.fsdecode(path)) if isinstance(path, (str, bytes)) else ""
    if name.endswith(".img") and "FAULTS_LOG" in os.environ:
        log = _open(os.environ["FAULTS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(log, f"{os.getpid()} {name}\\n".encode())
        os.close(log)
    if name == "hang.img":
        time.sleep(3600)
    if name == "huge.img":
        bytearray(64 << 30)
    if name == "crash.img":
        import faulthandler
        faulthandler._sigsegv()
    if name.startswith("slow-"):
        time.sleep(0.3)
    return _open(path, *args, **kwargs)

os.open = opened
'''


def make_fleet(folder: Path, areas: tuple[str, ...]) -> Path:
    """Unpack the images of some folders of fixtures/ below a folder, each area in one of its own.

    Outside CI some of the rules' images stand for all: to a scan they are images like any others, but an encrypted one.
    """
    for area in areas:
        below = folder / area
        below.mkdir(parents=True)
        found = sorted((FIXTURES / area).glob("*.img.zst"))
        chosen = {*spread(found, otherwise=25), FIXTURES / area / "luks.img.zst"} if area == "rules" else found
        for packed in chosen:
            unpack_sparse(packed, below / packed.name.removesuffix(".zst"))
    return folder


def with_faults(folder: Path, log: Path | None = None) -> dict[str, str]:
    """An environment in which Python misbehaves on files called hang.img, huge.img, crash.img and slow-….

    log: where each opening of an image is noted, with the process.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(FAULTS, encoding="utf-8")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path} | ({"FAULTS_LOG": str(log)} if log else {})


def stored(path: Path) -> list[ScanResult]:
    """All that a store has, by name and version."""
    store = Store(path)
    try:
        return list(store.results())
    finally:
        store.close()


def comparable(results: list[ScanResult]) -> list[tuple[Any, ...]]:
    """Results without the time that they took: what must be the same, byte for byte, from run to run."""
    return [tuple(result._replace(seconds=0.0)) for result in results]


def recorded() -> dict[tuple[str, str], dict[str, Any]]:
    """The recorded cases of Amazon's PV-GRUBs, by image and AKI."""
    cases = map(json.loads, (AMAZON / "cases.jsonl").read_text("utf-8").splitlines())
    return {(case["image"].removesuffix(".zst"), _aki(case)): case for case in cases}


def _aki(case: dict[str, Any]) -> str:
    return f"pv-grub-{case['aki_device']}_{case['profile'].removeprefix('amazon-')}-{case['arch']}.gz"
