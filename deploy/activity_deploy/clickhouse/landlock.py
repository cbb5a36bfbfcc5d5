"""The kernel's word on which files this process may open, for good: Linux' Landlock.

chDB is made for a program that trusts its own SQL: `file('/any/path')` as a scalar function asks
for no grant. What the kernel refuses, no statement gets at.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILES_ONLY = (1 << 0) | (1 << 1) | _READ_FILE  # execute, write, read
#: All rights over files of the first version; renames between folders and truncating came later.
_RIGHTS = (1 << 13) - 1
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_EXECUTE = 1
_CONNECT_TCP = 1 << 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(writable: Iterable[Path], readable: Iterable[Path]) -> bool:
    """From now on this thread and those it starts open nothing else, run no program, and connect to
    nobody (TCP, since Linux 6.7). Folders stand for all that is
    below them; what is not there is left out. False: this kernel cannot do it, nothing is changed.

    Files that are open stay open, and so does what has no path, such as memory files.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    rights = _RIGHTS | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    ruleset = _Ruleset(rights, _CONNECT_TCP)
    size = ctypes.sizeof(ruleset) if version >= 4 else 8  # the older ones know no network
    descriptor = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if descriptor < 0:
        return False
    try:
        for path in writable:
            _allow(libc, descriptor, path, rights & ~_EXECUTE)
        for path in readable:
            _allow(libc, descriptor, path, _READ_FILE | _READ_DIR)
        is_bound: bool = (
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            and libc.syscall(_RESTRICT_SELF, descriptor, 0) == 0
        )
        return is_bound
    finally:
        os.close(descriptor)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _FILES_ONLY | _TRUNCATE
        rule = _PathBeneath(rights, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
