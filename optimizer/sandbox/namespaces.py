"""Linux namespaces: a network with no interface, processes and mounts of one's own, where the kernel allows."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from optimizer.sandbox import libc

NAMES = {
    "mount": libc.CLONE_NEWNS,
    "pid": libc.CLONE_NEWPID,
    "net": libc.CLONE_NEWNET,
    "ipc": libc.CLONE_NEWIPC,
}


def enter(wanted: list[str]) -> list[str]:
    """Leave the machine's namespaces, as far as possible.

    Returns
    -------
    list of str
        Names of those that were made. A ``pid`` namespace begins with this process's next child.
    """
    if not wanted:
        return []
    flags = 0
    for name in wanted:
        flags |= NAMES[name]
    user, group = os.getuid(), os.getgid()
    try:
        libc.unshare(flags)
    except OSError:
        pass
    else:
        return _settled(wanted)
    try:
        libc.unshare(libc.CLONE_NEWUSER | flags)
    except OSError:
        pass
    else:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        return _settled([*wanted, "user"])
    made = []
    for name in wanted:
        with contextlib.suppress(OSError):
            libc.unshare(NAMES[name])
            made.append(name)
    return _settled(made)


def _settled(made: list[str]) -> list[str]:
    if "mount" in made:
        with contextlib.suppress(OSError):
            libc.mount("none", "/", "none", libc.MS_REC | libc.MS_PRIVATE)
    return made


def own_mounts(made: list[str], processes: int) -> list[str]:
    """In the first process of the namespaces, give it a view of its own processes, and shared memory of its own.

    Parameters
    ----------
    made : list of str
        What `enter` returned.
    processes : int
        How many there may be in the process namespace, where the kernel can bound that.

    Returns
    -------
    list of str
        Folders that were replaced and hold nothing of the machine's.
    """
    if "mount" not in made:
        return []
    done = []
    with contextlib.suppress(OSError):
        # The supervisor shares the present mounts and must go on seeing every process.
        libc.unshare(libc.CLONE_NEWNS)
        if "pid" in made:
            libc.mount("proc", "/proc", "proc", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC)
            _bound_processes(processes)
        safe = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", "/dev/shm", "tmpfs", safe, "size=64m,mode=1777")
        done.append("/dev/shm")
    return done


def _bound_processes(most: int) -> None:
    # Up to Linux 6.13 there is but one such number, for the whole machine.
    if libc.kernel() >= (6, 14):
        with contextlib.suppress(OSError):
            # The first 300 numbers are used once only.
            Path("/proc/sys/kernel/pid_max").write_text(str(300 + most))
