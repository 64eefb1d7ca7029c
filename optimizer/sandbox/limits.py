"""Limits that the kernel keeps for each process by itself: file size, open files, core dumps, message queues.

RLIMIT_AS is left alone: CUDA reserves address space far beyond what it uses. RLIMIT_NPROC counts all processes of a
user and never binds root, so processes are counted by a cgroup or by the supervisor.
"""

from __future__ import annotations

import contextlib
import resource
import signal


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


def _lower(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(name, (bound, bound))
