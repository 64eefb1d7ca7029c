"""Limits that the kernel keeps for each process by itself: file size, open files, core dumps, message queues.

RLIMIT_AS is left alone: CUDA reserves address space far beyond what it uses. RLIMIT_NPROC never binds root, so that
processes are bounded by a control group or a process namespace too, and counted by the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from pathlib import Path

from optimizer.sandbox import libc


def apply(file_size: int, open_files: int) -> None:
    """Lower this process's limits; children inherit them and cannot raise them without capabilities.

    Parameters
    ----------
    file_size : int
        Bytes any one file may grow to; writing on raises EFBIG or ends the process by SIGXFSZ.
    open_files : int
    """
    # Python ignores SIGXFSZ and gets EFBIG from write, which is the better report; an exec'd program inherits that.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _lower(resource.RLIMIT_FSIZE, file_size)
    _lower(resource.RLIMIT_NOFILE, open_files)
    _lower(resource.RLIMIT_CORE, 0)
    queues = getattr(resource, "RLIMIT_MSGQUEUE", None)
    if queues is not None:
        _lower(queues, 0)


def bound_user(processes: int, *, own_count: bool) -> None:
    """Bound the processes of an ordinary user; root is never bound by this.

    Parameters
    ----------
    processes : int
        How many more than now there may be.
    own_count : bool
        Whether a user namespace counts this process's children apart from the user's others.
    """
    if os.getuid() == 0:
        return
    if not own_count:
        _lower(resource.RLIMIT_NPROC, _tasks_of_user() + processes)
    elif libc.kernel() >= (5, 14):
        # Before, a user namespace was counted with all else of the user, which cannot be seen from within it.
        _lower(resource.RLIMIT_NPROC, processes)


def _tasks_of_user() -> int:
    total = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if process.stat().st_uid == os.getuid():
                    total += len(list((process / "task").iterdir()))
    return total


def _lower(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(name, (bound, bound))
