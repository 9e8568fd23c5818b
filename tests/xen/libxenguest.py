"""Xen's own loader as a second witness: libxenguest of Debian's libxenmisc4.17, called through ctypes.

Debian's build is the one for dom0: it unpacks with other decoders than PV-GRUB's, and without a hypervisor it knows
no guest types, so that the last thing it does with a good kernel is to complain of its type. That is the answer.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

LIBRARIES = tuple(f"libxenguest.so.4.{minor}" for minor in range(17, 23))
DUMMY = 1
"""XC_OPENFLAG_DUMMY: no hypervisor."""
DETAIL = 2
"""XTL_DETAIL."""
_TYPE = re.compile(r"xc_dom_compat_check: guest type (\S+) not supported by xen kernel")


@dataclass(frozen=True)
class Answer:
    """guest_type: of a kernel that was accepted, else None. lines: what was logged."""

    guest_type: str | None
    lines: tuple[str, ...]


@cache
def _library() -> tuple[ctypes.CDLL, ctypes.CDLL, ctypes.CDLL]:
    for name in LIBRARIES:
        try:
            guest = ctypes.CDLL(name)
        except OSError:
            continue
        log = ctypes.CDLL("libxentoollog.so.1")
        libc = ctypes.CDLL(None)
        pointer = ctypes.c_void_p
        libc.fopen.restype = pointer
        libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        libc.fclose.argtypes = [pointer]
        log.xtl_createlogger_stdiostream.restype = pointer
        log.xtl_createlogger_stdiostream.argtypes = [pointer, ctypes.c_int, ctypes.c_uint]
        log.xtl_logger_destroy.argtypes = [pointer]
        guest.xc_interface_open.restype = pointer
        guest.xc_interface_open.argtypes = [pointer, pointer, ctypes.c_uint]
        guest.xc_interface_close.argtypes = [pointer]
        guest.xc_dom_allocate.restype = pointer
        guest.xc_dom_allocate.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
        guest.xc_dom_kernel_mem.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t]
        guest.xc_dom_parse_image.argtypes = [pointer]
        guest.xc_dom_release.argtypes = [pointer]
        return guest, log, libc
    if os.environ.get("CI") and not os.environ.get("PVGRUB_SIM_NO_TOOLS"):
        pytest.fail("libxenguest is not installed (Debian: libxenmisc4.17; set PVGRUB_SIM_NO_TOOLS to skip)")
    pytest.skip("libxenguest is not installed (Debian: libxenmisc4.17)")


def ask(kernel: bytes) -> Answer:
    """What xc_dom_parse_image() says to a kernel."""
    guest, log, libc = _library()
    with tempfile.NamedTemporaryFile() as file:
        stream = libc.fopen(os.fsencode(file.name), b"w")
        logger = log.xtl_createlogger_stdiostream(stream, DETAIL, 0)
        handle = guest.xc_interface_open(logger, logger, DUMMY)
        assert handle
        try:
            dom = guest.xc_dom_allocate(handle, b"", b"")
            assert dom
            status = guest.xc_dom_kernel_mem(dom, kernel, len(kernel))
            if not status:
                status = guest.xc_dom_parse_image(dom)
            guest.xc_dom_release(dom)
        finally:
            guest.xc_interface_close(handle)
            log.xtl_logger_destroy(logger)
            libc.fclose(stream)
        lines = tuple(Path(file.name).read_text("utf-8", "replace").splitlines())
    assert status, "without a hypervisor no guest type is supported"
    types = [match[1] for line in lines if (match := _TYPE.search(line))]
    return Answer(types[0] if types else None, lines)
