"""How many images of several faults `fix` mends, and why it refuses the others: what docs/fix.md says of it.

python bench/mended.py RESULTS.jsonl [--images 5000]     make, mend and check; goes on where it ended
python bench/mended.py RESULTS.jsonl --figures            print the figures of what is there
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.repair.test_generated import mended_or_refused, reasons


def one(seed: int) -> dict[str, Any]:
    """Make an image, let `fix` mend it, and look with other tools whether anything was lost."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="mended.") as folder:
        os.chdir(folder)
        try:
            fixed, faults = mended_or_refused(seed, Path(folder))
        except AssertionError as error:
            return {"seed": seed, "wrong": str(error)[:500]}
        finally:
            os.chdir(home)
    why = [] if fixed.mended else reasons(fixed)
    return {"seed": seed, "faults": faults, "mended": fixed.mended, "healthy": fixed.before.boots_default, "why": why}


def figures(rows: list[dict[str, Any]]) -> None:
    """Print the share that is mended, and what the first reason of each refusal is about."""
    wrong = [row for row in rows if "wrong" in row]
    told = [row for row in rows if "wrong" not in row]
    mended = sum(row["mended"] for row in told)
    print(f"{len(rows)} images: {mended} boot afterwards, {len(told) - mended} refused, {len(wrong)} wrong")
    first = Counter(row["why"][0].partition(":")[0] for row in told if not row["mended"])
    for reason, count in first.most_common(40):
        print(f"{count:6} {reason[:100]}")
    for row in wrong:
        print(f"seed {row['seed']}: {row['wrong']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--figures", action="store_true")
    args = parser.parse_args()
    known = args.results.read_text().splitlines() if args.results.exists() else []
    rows = [json.loads(line) for line in known]
    if args.figures:
        figures(rows)
        return
    done = {row["seed"] for row in rows}
    with args.results.open("a") as out:
        for seed in range(args.images):
            if seed not in done:
                print(json.dumps(one(seed)), file=out, flush=True)


if __name__ == "__main__":
    main()
