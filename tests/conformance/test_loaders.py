"""The recorded kernels in the loaders of 19 Xen trees: the same verdict, the same words, the same source lines."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pvgrub_sim import LoaderMemory, boot
from tests.conformance.compare import differences
from tests.images import unpack_sparse
from tests.rounds import rounds

CASES = Path(__file__).parents[2] / "fixtures" / "conformance"


def recordings() -> dict[str, list[dict[str, Any]]]:
    """The recordings by the image that they are of."""
    found = defaultdict(list)
    with (CASES / "loaders" / "old-loaders.jsonl.zst").open("rb") as packed:
        for line in io.TextIOWrapper(
            zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed), "utf-8"
        ):
            case = json.loads(line)
            found[case["case"]].append(case)
    return found


RECORDINGS = recordings()
KERNELS = {
    case["case"]: case for case in map(json.loads, (CASES / "kernels" / "cases.jsonl").read_text("utf-8").splitlines())
}


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_kernel_in_every_loader(name: str, tmp_path: Path) -> None:
    kernel = KERNELS[name]
    image = unpack_sparse(CASES / "kernels" / kernel["image"], tmp_path / "disk.img")
    memory = LoaderMemory()
    wrong = []
    # Each tree with a part of the kernels, each kernel in a part of the trees.
    step = rounds(1, otherwise=3)
    for case in RECORDINGS[name][sorted(RECORDINGS).index(name) % step :: step]:
        verdict = boot(
            image,
            pvgrub=f"xen-{case['xen']}",
            arch=case["arch"],
            config=kernel["config"],
            findings=False,
            loader_memory=memory,
        )
        recorded = {"cmdline": verdict.cmdline, **case}
        wrong += [f"xen-{case['xen']}: {text}" for text in differences(recorded, verdict, source_lines=True)]
    image.unlink()
    assert not wrong, f"{kernel['what']}\n" + "\n".join(wrong)


def test_every_loader_is_recorded() -> None:
    trees = {case["xen"] for cases in RECORDINGS.values() for case in cases}
    assert len(trees) == 19
    assert sum(map(len, RECORDINGS.values())) == 3111
