"""The processes beneath a supervisor: count them, weigh them, end them all."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
ENTRIES = 20_000
"""Files and folders a scratch folder may hold before it counts as full."""


class Usage(NamedTuple):
    """What a tree of processes takes.

    Attributes
    ----------
    tasks : int
        Processes and their threads.
    resident : int
        Bytes of resident memory, pages that several share counted for each.
    """

    tasks: int
    resident: int


def descendants(root: int, most: int = sys.maxsize) -> list[int]:
    """Return the ids of all processes beneath `root`, parents first; the search ends once `most` are exceeded.

    A fork bomb makes them faster than they can be listed.
    """
    if sys.platform != "linux":
        return _descendants_by_psutil(root)
    found: list[int] = []
    todo = [root]
    while todo and len(found) <= most:
        for pid in _children(todo.pop()):
            found.append(pid)
            todo.append(pid)
    return found


def usage(processes: list[int]) -> Usage:
    """Add up what the processes take; those that end meanwhile count as nothing."""
    tasks = resident = 0
    for pid in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            if sys.platform == "linux":
                resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
                tasks += int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[17])
            else:
                taken = _psutil_usage(pid)
                tasks, resident = tasks + taken.tasks, resident + taken.resident
    return Usage(tasks, resident)


def proportional(processes: list[int]) -> int | None:
    """Bytes of memory with each shared page counted once, or None where the system does not tell."""
    total = 0
    for pid in processes:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except FileNotFoundError:
            continue
        except OSError:
            return None
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def disk_usage(folder: str) -> int:
    """Bytes that a folder takes on disk; a folder of more than `ENTRIES` entries counts as without end."""
    total = entries = 0
    todo = [folder]
    while todo:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as listing:
            for entry in listing:
                entries += 1
                if entries > ENTRIES:
                    return sys.maxsize
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
    return total


def clear(folder: Path) -> None:
    """Empty a folder that an untrusted child wrote to, following no link."""
    import shutil

    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()


def end(patience: float = 10.0) -> bool:
    """Kill everything beneath this process and collect it; true when nothing is left.

    This process must be the reaper of its orphans (`libc.PR_SET_CHILD_SUBREAPER`), or those escape.
    """
    deadline = time.monotonic() + patience
    stopped: set[int] = set()
    while time.monotonic() < deadline:
        _reap()
        processes = descendants(os.getpid())
        if not processes:
            return True
        fresh = [pid for pid in processes if pid not in stopped]
        # What is stopped cannot fork, so a fork bomb runs out of parents before it is killed.
        for pid in fresh:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
        stopped.update(fresh)
        if not fresh:
            for pid in processes:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            stopped.clear()
            time.sleep(0.001)
    return False


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for thread in threads:
        try:
            # One read, no more: a process that forks without end makes its list grow faster than it is read.
            with (thread / "children").open("rb", buffering=0) as file:
                text = file.read(1 << 14).decode()
        except FileNotFoundError:
            if Path("/proc/self/task").exists() and not Path(f"/proc/self/task/{os.getpid()}/children").exists():
                return _children_by_scan(pid)
            continue
        except OSError:
            continue
        found += [int(child) for child in text.split(" ")[:-1]]
    return found


def _children_by_scan(parent: int) -> list[int]:
    # Kernels built without CONFIG_PROC_CHILDREN.
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(process.name))
    return found


def _descendants_by_psutil(root: int) -> list[int]:
    import psutil

    try:
        return [process.pid for process in psutil.Process(root).children(recursive=True)]
    except psutil.Error:
        return []


def _psutil_usage(pid: int) -> Usage:
    import psutil

    try:
        process = psutil.Process(pid)
        return Usage(process.num_threads(), int(process.memory_info().rss))
    except psutil.Error:
        return Usage(0, 0)
