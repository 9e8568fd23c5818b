"""How long `pvgrub-sim boot` takes on the demo image, against the start of Python itself, in one run."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.images import unpack_sparse

DEMO = Path(__file__).parents[1] / "fixtures" / "images" / "demo.img.zst"


def wall(words: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as text:
        image = str(unpack_sparse(DEMO, Path(text) / "demo.img"))
        script = str(Path(sys.executable).parent / "pvgrub-sim")
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "pvgrub-sim boot demo.img": [script, "boot", image],
            "pvgrub-sim boot --no-unpack demo.img": [script, "boot", "--no-unpack", image],
            "pvgrub-sim boot --format json demo.img": [script, "boot", "--format", "json", image],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for words in commands.values():
            wall(words)
        for _ in range(runs):
            for name, words in commands.items():
                times[name].append(wall(words))
    base = statistics.median(times["python -c pass"])
    print(f"{'command':42} {'median s':>9} {'min s':>7} {'x python':>9}")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:42} {middle:9.3f} {min(values):7.3f} {middle / base:9.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
