"""`python -m fuzz`: mutates inputs until the time is over, and tells of each promise that was not kept."""

from __future__ import annotations

import argparse
import collections
import resource
import sys
import time
import traceback
import zlib
from random import Random

from fuzz.targets import TARGETS
from fuzz.world import World

SLOWEST = 60
"""Seconds of processor time that one input may take, which is run and looked at several times."""
MEMORY = 800 << 20
"""Bytes of address space, besides the images that are kept in memory."""


def one(name: str, seed: int, count: int, world: World) -> None:
    """Make one input of a target, and check it; the same name, seed and count make the same input."""
    begin = time.process_time()
    TARGETS[name][0](Random(zlib.crc32(f"{name}:{seed}:{count}".encode())), world)
    taken = time.process_time() - begin
    if taken > SLOWEST:
        raise AssertionError(f"{taken:.1f} seconds of processor time")


def _limit(kept: int) -> None:
    """Let the process have no more address space than MEMORY. kept: bytes of the images."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + kept, resource.RLIM_INFINITY))


def main() -> int:
    """Run; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be given several times")
    parser.add_argument("--replay", metavar="TARGET:SEED:COUNT", help="make one input again, with its traceback")
    parser.add_argument("--few", action="store_true", help="mutate some of the images only, for a quick start")
    args = parser.parse_args()
    world = World(args.few)
    _limit(sum(len(image.data) for image in world.images))
    if args.replay:
        name, seed, count = args.replay.split(":")
        one(name, int(seed), int(count), world)
        return 0
    return _run(args.target or list(TARGETS), args.seed, args.seconds, world)


def _run(names: list[str], seed: int, seconds: float, world: World) -> int:
    turns = [name for name in names for _ in range(TARGETS[name][1])]
    counts: collections.Counter[str] = collections.Counter()
    found: dict[str, str] = {}
    begin, used = time.monotonic(), time.process_time()
    while time.monotonic() - begin < seconds:
        name = turns[counts.total() % len(turns)]
        count = counts[name]
        counts[name] += 1
        try:
            one(name, seed, count, world)
        except Exception as error:  # that is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno}"
            if where not in found:
                found[where] = f"{name}:{seed}:{count}"
                print(f"{name}:{seed}:{count}: {where}: {ascii(str(error))[:300]}", flush=True)
    wall, cpu = time.monotonic() - begin, time.process_time() - used
    each = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    rate = counts.total() / cpu
    print(f"{counts.total()} inputs in {wall:.0f} s ({cpu:.0f} s of processor time, {rate:.0f} a second): {each}")
    for where, replay in found.items():
        print(f"found: {where}: python -m fuzz --replay {replay}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
