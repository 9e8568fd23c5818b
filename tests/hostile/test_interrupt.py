"""Ctrl-C at any moment: exit status 130 and no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.hostile.conftest import Unpack
from tests.rounds import spread

# The first byte comes when the program's own handler is there: what the interpreter does before is not ours.
START = """
import sys, pvgrub_sim.__main__ as m
handle = m.signal
def first(*what):
    m.signal = handle
    before = handle(*what)
    sys.stderr.write("x")
    sys.stderr.flush()
    return before
m.signal = first
m.start()
"""
DELAYS = spread([0.0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8], otherwise=5)


@pytest.mark.parametrize("words", [["boot", "{}"], ["inspect", "{}"], ["boot", "--isolate", "{}"]], ids=" ".join)
def test_at_any_moment(words: list[str], hostile: Unpack) -> None:
    image = hostile("res-gpt128-bigdir.img")
    filled = [word.replace("{}", str(image)) for word in words]
    interrupted = 0
    for delay in DELAYS:
        with subprocess.Popen(
            [sys.executable, "-c", START, *filled], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr
            assert process.stderr.read(1) == b"x"
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
            status = process.wait()
        assert said == b"", said.decode()
        assert status in (0, 1, 130), (delay, status)
        interrupted += status == 130
    assert interrupted > len(DELAYS) // 2


LOST = """
import sys, time, weakref
import pvgrub_sim.cli, pvgrub_sim.__main__ as m

def lose(reference):
    raise KeyboardInterrupt

def entry():
    thing = type("Thing", (), {})()
    reference = weakref.ref(thing, lose)
    del thing
    time.sleep(60)

pvgrub_sim.cli.entry = entry
m.start()
"""


def test_one_that_a_callback_has_lost_comes_once_more() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
