"""Fences around the own process: limits of memory and processor time, and Landlock where the kernel has it.

Sources: setrlimit(2); Linux, Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
from collections.abc import Iterable
from contextlib import suppress

MIB = 1 << 20

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System call numbers, the same on every architecture."""
_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = (1 << 0) | (1 << 1) | _READ_FILE | (1 << 14) | (1 << 15)
"""Rights that a rule on a file may give: execute, write, read, truncate, ioctl on a device."""
_RIGHTS_BY_VERSION = ((1, 13), (2, 14), (3, 15), (5, 16))
"""Since which version how many bits of access rights are known."""
_NETWORK_SINCE, _NETWORK = 4, 0b11
_SCOPES_SINCE, _SCOPES = 6, 0b11


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def limit(*, mib: int | None = None, seconds: int | None = None) -> None:
    """Bound this process from now on, and its core dumps to none; a lower bound that is there stays.

    mib: of address space. seconds: of processor time, after which the kernel kills it.
    """
    bounds = [(resource.RLIMIT_CORE, 0)]
    if mib is not None:
        bounds.append((resource.RLIMIT_AS, mib * MIB))
    if seconds is not None:
        bounds.append((resource.RLIMIT_CPU, seconds))
    for kind, bound in bounds:
        _, hard = resource.getrlimit(kind)
        wanted = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (wanted, wanted))


def landlock_version() -> int:
    """The version of Landlock that the kernel has, 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def restrict(*, read: Iterable[str], write: Iterable[str] = (), network: bool = False) -> bool:
    """Let this process, and all that it starts, open nothing but this from now on; False where Landlock is not there.

    read: files and folders that may be read; ones that are not there are passed over. write: folders in which files
    may be made and removed as well. network: leave TCP as it is. Nothing else can be executed, written, connected to
    or signalled. Raises OSError when the kernel has Landlock and refuses.
    """
    version = landlock_version()
    if not version:
        return False
    rights = (1 << max(bits for since, bits in _RIGHTS_BY_VERSION if version >= since)) - 1
    ruleset = _Ruleset(
        rights,
        0 if network or version < _NETWORK_SINCE else _NETWORK,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    handle = _checked(_call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0))
    try:
        for path in read:
            _allow(handle, path, _READ_FILE | _READ_DIR)
        for path in write:
            _allow(handle, path, rights & ~1)
        libc = ctypes.CDLL(None, use_errno=True)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_call(_RESTRICT_SELF, ctypes.c_int(handle), 0))
    finally:
        os.close(handle)
    return True


def _allow(handle: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _FILE_RIGHTS
        rule = _PathBeneath(rights, opened)
        _checked(_call(_ADD_RULE, ctypes.c_int(handle), _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(opened)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(ctypes.c_long(number), *arguments)
    return result


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
