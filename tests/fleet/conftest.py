"""What the tests of fleets share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import local_engine, scan
from tests.fleet.fleets import make_fleet
from tests.once import made_once


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of all outcomes, in folders, and with what is no image."""

    def make(folder: Path) -> None:
        make_fleet(folder, ("rules", "conformance/amazon"))
        (folder / "README.txt").write_text("These are images.\n" * 100, encoding="utf-8")
        (folder / "empty").touch()

    return made_once(tmp_path_factory, "fleet", make)


@pytest.fixture(scope="session")
def undisturbed(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a scan of the fleet on this machine, whose workers nobody kills."""

    def make(folder: Path) -> None:
        scan([fleet], store=folder / "scan.db", engine=local_engine(2))

    return made_once(tmp_path_factory, "undisturbed", make) / "scan.db"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images: one boots, one by fallback, the others do not."""
    return make_fleet(tmp_path_factory.mktemp("small") / "images", ("images",)) / "images"
