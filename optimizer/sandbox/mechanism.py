"""Choose how a child is confined on this machine, and write the order that `launch` carries out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.errors import SandboxUnavailable, UsageError, did_you_mean
from optimizer.sandbox import bubblewrap, seatbelt
from optimizer.sandbox.policy import Policy

MODES = ("auto", "bwrap", "landlock", "seatbelt", "off")
_LAUNCH = Path(__file__).with_name("launch.py")
_NAMESPACES = ("mount", "pid", "net", "ipc")


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way to confine a child.

    Attributes
    ----------
    name : str
        ``bwrap``, ``landlock``, ``seatbelt`` or ``off``.
    landlock : bool
        Whether Landlock's rules are set; within bubblewrap they are a second wall.
    seccomp : bool
    namespaces : tuple of str
        Those that the launcher tries to make.
    """

    name: str
    landlock: bool = False
    seccomp: bool = False
    namespaces: tuple[str, ...] = ()

    @property
    def confines(self) -> bool:
        """False for ``off`` alone."""
        return self.name != "off"

    def launcher(self, descriptor: int) -> list[str]:
        """Return the command that carries out the order in an open file."""
        return [sys.executable, "-I", "-S", str(_LAUNCH), str(descriptor)]

    def order(
        self, policy: Policy, command: Sequence[str], *, parent: int, descriptor: int, status: int, keep: Sequence[int],
        log: int, log_room: int,
    ) -> dict[str, Any]:  # fmt: skip
        """Write down everything that the launcher needs, as JSON types.

        Parameters
        ----------
        policy : Policy
        command : sequence of str
            Program and arguments of the child.
        parent : int
            Process without which the child shall not live.
        descriptor : int
            Where the order itself can be read.
        status : int
            Where the launcher reports; never seen by the child.
        keep : sequence of int
            Descriptors that the child inherits.
        log : int
            Where the child's output goes.
        log_room : int
            Bytes of output after which the rest is dropped.
        """
        wrapper: list[str] = []
        child = list(command)
        if self.name == "bwrap":
            wrapper = bubblewrap.wrapper(policy, [*self.launcher(descriptor), "inner"])
        elif self.name == "seatbelt":
            child = seatbelt.wrapper(policy, child)
        limits = policy.limits
        return {
            "mechanism": self.name,
            "landlock": self.landlock,
            "seccomp": self.seccomp,
            "namespaces": list(self.namespaces),
            "wrapper": wrapper,
            "command": child,
            "environment": policy.child_environment(),
            "import_paths": _import_paths(),
            "scratch": str(policy.scratch),
            "read": [str(path) for path in policy.read_paths()],
            "data": [str(path) for path in policy.data_paths()],
            "write": [str(policy.scratch)] + (["/tmp", "/dev/shm"] if self.name == "bwrap" else []),
            "devices": [str(path) for path in policy.device_paths()],
            "hidden": [str(path) for path in policy.hidden_paths()],
            "limits": {
                "memory": limits.memory,
                "processes": limits.processes,
                "file_size": limits.file_size,
                "scratch": limits.scratch,
                "open_files": limits.open_files,
            },
            "parent": parent,
            "status": status,
            "keep": list(keep),
            "log": log,
            "log_room": log_room,
        }


def select(mode: str = "auto") -> Mechanism:
    """Return the mechanism that `mode` asks for.

    Parameters
    ----------
    mode : {"auto", "bwrap", "landlock", "seatbelt", "off"}
        ``auto`` takes the strongest that works here and never ``off``.

    Raises
    ------
    UsageError
        If there is no such mode.
    SandboxUnavailable
        If it cannot be had on this machine; there is no silent run without it.
    """
    if mode not in MODES:
        raise UsageError(f"--sandbox {mode!r} is not one of {', '.join(MODES)}.{did_you_mean(mode, MODES)}")
    if mode == "off":
        return Mechanism("off")
    if sys.platform == "darwin":
        return _seatbelt(mode)
    if mode == "seatbelt":
        raise SandboxUnavailable(
            "--sandbox seatbelt exists on macOS only.", next_step="Use --sandbox auto, which takes what works here."
        )
    if mode == "bwrap" or (mode == "auto" and bubblewrap.find() is not None):
        problem = bubblewrap.works()
        if problem is None:
            return Mechanism("bwrap", landlock=_landlock_version() > 0, seccomp=_seccomp())
        if mode == "bwrap":
            raise SandboxUnavailable(
                f"--sandbox bwrap cannot be had: {problem}.",
                next_step=f"{bubblewrap.INSTALL} Or use --sandbox landlock.",
            )
    if _landlock_version() == 0:
        raise SandboxUnavailable(
            f"--sandbox {mode} cannot be had: this kernel has no Landlock (Linux 5.13, in its lsm= list).",
            next_step=f"{bubblewrap.INSTALL} To run without any confinement, say --sandbox off.",
        )
    return Mechanism("landlock", landlock=True, seccomp=_seccomp(), namespaces=_NAMESPACES)


def _seatbelt(mode: str) -> Mechanism:
    if mode not in ("auto", "seatbelt"):
        raise SandboxUnavailable(f"--sandbox {mode} exists on Linux only.", next_step="Use --sandbox seatbelt.")
    if not Path(seatbelt.PROGRAM).exists():
        raise SandboxUnavailable(
            f"{seatbelt.PROGRAM} is not there.", next_step="To run without any confinement, say --sandbox off."
        )
    return Mechanism("seatbelt")


def _landlock_version() -> int:
    if sys.platform != "linux":
        return 0
    try:
        from optimizer.sandbox import landlock
    except ImportError:
        return 0
    return landlock.version()


def _seccomp() -> bool:
    from optimizer.sandbox import seccomp

    return seccomp.supported()


def _import_paths() -> list[str]:
    """Folders from which the launcher, started without the site's packages, imports this room and what it needs."""
    from importlib.util import find_spec

    paths = [str(Path(__file__).resolve().parents[2])]
    for name in ("landlockpy", "psutil"):
        found = find_spec(name)
        if found is not None and found.origin is not None:
            paths.append(str(Path(found.origin).parents[1]))
    return list(dict.fromkeys(paths))
