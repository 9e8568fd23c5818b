"""What passes between a supervisor and its worker: JSON, so that neither can make the other run code."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

from pvgrub_sim.fleet.values import Job, Look, ScanSettings
from pvgrub_sim.shapes import of_type
from pvgrub_sim.typed import Any

HEAD = struct.Struct(">II")
"""Lengths in bytes of the facts and of the verdict that follow."""
LONGEST = 64 << 20
"""Bytes of a verdict; a worker that claims more is out of its mind."""


def pack_request(jobs: Sequence[Job], settings: ScanSettings) -> bytes:
    """A line that asks for looks."""
    return json.dumps([settings, jobs]).encode("ascii") + b"\n"


def unpack_request(line: bytes) -> tuple[list[Job], ScanSettings]:
    """The jobs and settings of such a line."""
    settings, jobs = json.loads(line)
    return [Job(*job) for job in jobs], ScanSettings(*settings)


def pack_look(seen: Look) -> bytes:
    """A frame that answers a job."""
    facts: list[Any] = [*seen[:-1]]
    head = json.dumps(facts).encode("ascii")
    body = seen.verdict.encode("ascii")
    return b"".join([HEAD.pack(len(head), len(body)), head, body])


def unpack_look(head: bytes, body: bytes) -> Look:
    """The answer whose facts and verdict these are; raises ValueError when they are not what pack_look() makes."""
    try:
        facts: Any = json.loads(head.decode("ascii"))
    except RecursionError:
        raise ValueError("no facts at all") from None
    if not isinstance(facts, list) or len(facts) != len(Look._fields) - 1:
        raise ValueError("not the facts of a look")
    try:
        seen: Look = of_type(Look, dict(zip(Look._fields, [*facts, body.decode("ascii")], strict=True)))
    except (TypeError, KeyError) as error:
        raise ValueError(str(error)) from None
    return seen
