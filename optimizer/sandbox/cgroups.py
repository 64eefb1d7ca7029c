"""Control groups: a limit on processes and memory that binds root too, where their file system can be written."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_PREFIX = "banger-"


class ControlGroup:
    """A child of this process's own control group, in each hierarchy that lets one be made.

    Parameters
    ----------
    processes : int
        Threads and processes that may exist in it.
    memory : int
        Bytes after which the kernel kills one of its processes.
    """

    def __init__(self, processes: int, memory: int) -> None:
        self.folders: list[Path] = []
        self.limits: list[str] = []
        name = f"{_PREFIX}{os.getpid()}"
        for kind, parent in _own_groups():
            _sweep(parent)
            folder = parent / name
            try:
                folder.mkdir()
            except OSError:
                continue
            self.folders.append(folder)
            if kind != "memory" and _set(folder / "pids.max", processes):
                self.limits.append("pids")
            if kind != "pids" and (
                _set(folder / "memory.max", memory) or _set(folder / "memory.limit_in_bytes", memory)
            ):
                self.limits.append("memory")

    def join(self) -> None:
        """Move the calling process in; raises OSError."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text("0")

    def hit(self) -> str | None:
        """Say which limit was met: ``memory`` if the kernel killed for it, ``processes`` if it refused to fork."""
        for folder in self.folders:
            for file, key, reason in (
                ("memory.events", "oom_kill", "memory"),
                ("memory.oom_control", "oom_kill", "memory"),
                ("pids.events", "max", "processes"),
            ):
                with contextlib.suppress(OSError, ValueError):
                    events = dict(line.split(" ", 1) for line in (folder / file).read_text().splitlines())
                    if int(events.get(key, 0)):
                        return reason
        return None

    def remove(self) -> None:
        """Remove the groups, once their processes are gone."""
        for folder in self.folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    # An ended process leaves its group a moment after it was waited for.
                    time.sleep(0.01)
                else:
                    break


def _own_groups() -> list[tuple[str, Path]]:
    """Return (hierarchy, folder): ``unified`` for version 2, ``pids`` and ``memory`` for version 1."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            for kind in kinds.split(","):
                mounted = ROOT if not kind else ROOT / kind
                if kind in ("", "pids", "memory") and (mounted / path.lstrip("/") / "cgroup.procs").exists():
                    found.append((kind or "unified", mounted / path.lstrip("/")))
    return found


def _sweep(parent: Path) -> None:
    """Remove groups whose supervisor was killed before it could."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*"):
            owner = folder.name.removeprefix(_PREFIX)
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _set(file: Path, value: int) -> bool:
    try:
        file.write_text(str(value))
    except OSError:
        return False
    return True
