"""xl's own parser as a second witness: libxlutil of Debian's libxenmisc4.17, called through ctypes."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import NamedTuple

import pytest

LIBRARIES = tuple(f"libxlutil.so.4.{minor}" for minor in range(17, 23))
FORMATS = ("unknown", "qcow", "qcow2", "vhd", "raw", "empty", "qed")
"""enum libxl_disk_format of libxl_types.idl."""


class DeviceDisk(ctypes.Structure):
    """The head of struct libxl_device_disk, and room for the rest."""

    _fields_ = (
        ("backend_domid", ctypes.c_uint32),
        ("backend_domname", ctypes.c_char_p),
        ("pdev_path", ctypes.c_char_p),
        ("vdev", ctypes.c_char_p),
        ("backend", ctypes.c_int),
        ("format", ctypes.c_int),
        ("script", ctypes.c_char_p),
        ("removable", ctypes.c_int),
        ("readwrite", ctypes.c_int),
        ("is_cdrom", ctypes.c_int),
        ("rest", ctypes.c_char * 1024),
    )


class Disk(NamedTuple):
    """What xl takes a text for."""

    target: str
    format: str
    vdev: str
    cdrom: bool
    script: str


@cache
def _library() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    for name in LIBRARIES:
        try:
            util = ctypes.CDLL(name)
        except OSError:
            continue
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        libc = ctypes.CDLL(None)
        libc.fopen.restype = pointer
        libc.fopen.argtypes = [text, text]
        util.xlu_cfg_init.restype = pointer
        util.xlu_cfg_init.argtypes = [pointer, text]
        util.xlu_cfg_destroy.argtypes = [pointer]
        util.xlu_cfg_readdata.argtypes = [pointer, text, ctypes.c_int]
        util.xlu_cfg_get_string.argtypes = [pointer, text, ctypes.POINTER(text), ctypes.c_int]
        util.xlu_cfg_get_list.argtypes = [
            pointer, text, ctypes.POINTER(pointer), ctypes.POINTER(ctypes.c_int), ctypes.c_int
        ]  # fmt: skip
        util.xlu_cfg_get_listitem.restype = text
        util.xlu_cfg_get_listitem.argtypes = [pointer, ctypes.c_int]
        util.xlu_disk_parse.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(text), ctypes.POINTER(DeviceDisk)]
        return util, libc
    if os.environ.get("CI") and not os.environ.get("PVGRUB_SIM_NO_TOOLS"):
        pytest.fail("libxlutil is not installed (Debian: libxenmisc4.17)")
    pytest.skip("libxlutil is not installed (Debian: libxenmisc4.17)")


@cache
def _nowhere() -> int:
    stream: int = _library()[1].fopen(os.devnull.encode(), b"w")
    return stream


def values(text: bytes, *keys: str) -> dict[str, str | list[str | None]] | None:
    """What xl reads of some keys of a configuration; None when it refuses the whole. None in a list: no text."""
    util, _ = _library()
    config = util.xlu_cfg_init(_nowhere(), b"test")
    if util.xlu_cfg_readdata(config, text, len(text)):
        # "You have to just xlu_cfg_destroy" (libxlutil.h).
        util.xlu_cfg_destroy(config)
        return None
    found: dict[str, str | list[str | None]] = {}
    for key in keys:
        one, many, count = ctypes.c_char_p(), ctypes.c_void_p(), ctypes.c_int()
        if not util.xlu_cfg_get_string(config, key.encode(), ctypes.byref(one), 1):
            found[key] = _text(one.value)
        elif not util.xlu_cfg_get_list(config, key.encode(), ctypes.byref(many), ctypes.byref(count), 1):
            items = (util.xlu_cfg_get_listitem(many, number) for number in range(count.value))
            found[key] = [None if item is None else _text(item) for item in items]
    util.xlu_cfg_destroy(config)
    return found


def disk(spec: str) -> Disk | None:
    """What xl takes one disk's text for; None when it refuses it."""
    util, _ = _library()
    config = util.xlu_cfg_init(_nowhere(), b"test")
    made = DeviceDisk()
    specs = (ctypes.c_char_p * 1)(spec.encode("utf-8", "surrogateescape"))
    failed = util.xlu_disk_parse(config, 1, specs, ctypes.byref(made))
    util.xlu_cfg_destroy(config)
    # The return value says nothing of a missing vdev or target.
    if failed or made.vdev is None or (made.pdev_path is None and not made.removable):
        return None
    return Disk(_text(made.pdev_path), FORMATS[made.format], _text(made.vdev), bool(made.is_cdrom), _text(made.script))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")
