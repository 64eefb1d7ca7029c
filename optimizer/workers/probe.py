"""Find out what confinement really holds on this machine, by trying to break out of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer.errors import OptimizeError
from optimizer.sandbox.mechanism import MODES, Mechanism, select
from optimizer.sandbox.policy import Limits
from optimizer.workers.launch import python_launch
from optimizer.workers.worker import Worker

_VARIABLE = "OPTIMIZE_PROBE_TOKEN"


@dataclass(frozen=True, slots=True)
class Finding:
    """One attempt to break out.

    Attributes
    ----------
    attempt : str
    contained : bool
    got : str
        What it got, where it was not.
    """

    attempt: str
    contained: bool
    got: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a mode of ``--sandbox`` is worth here.

    Attributes
    ----------
    mode : str
    mechanism : str or None
        None if it cannot be had.
    problem, next_step : str or None
        Why it cannot be had, and what mends that.
    facts : mapping
        What is in force: ``namespaces``, ``landlock`` (ABI version), ``seccomp``, ``cgroup``.
    findings : tuple of Finding
    seconds : float
        From the start of a child to its readiness.
    """

    mode: str
    mechanism: str | None = None
    problem: str | None = None
    next_step: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def escapes(self) -> tuple[Finding, ...]:
        """The attempts that succeeded."""
        return tuple(finding for finding in self.findings if not finding.contained)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "mode": self.mode,
            "mechanism": self.mechanism,
            "problem": self.problem,
            "next_step": self.next_step,
            "facts": dict(self.facts),
            "attempts": len(self.findings),
            "escapes": [finding.attempt for finding in self.escapes],
            "seconds": round(self.seconds, 3),
        }


def probe(mode: str | Mechanism = "auto") -> Probe:
    """Start a child that tries to break out, and tell what it got.

    Parameters
    ----------
    mode : str or Mechanism
        As in `optimizer.sandbox.select`.
    """
    name = mode if isinstance(mode, str) else mode.name
    try:
        mechanism = select(mode) if isinstance(mode, str) else mode
        # Beneath the temporary folder, which bubblewrap replaces, nothing would be proven of the other paths.
        with tempfile.TemporaryDirectory(prefix="probe-") as folder, _baits(Path(folder)) as config:
            scratch = Path(folder) / "scratch"
            scratch.mkdir()
            launch = python_launch(
                "the probe",
                "optimizer.workers.attempts:Attempts",
                scratch,
                mechanism,
                config=config,
                limits=Limits(memory=1 << 30),
                load_deadline=60.0,
            )
            worker = Worker(launch)
            begun = time.perf_counter()
            try:
                results = worker.start()
                seconds = time.perf_counter() - begun
            finally:
                worker.close()
            findings = tuple(Finding(attempt, got is None, got or "") for attempt, got in results.items())
            return Probe(name, mechanism.name, facts=worker.confined, findings=findings, seconds=seconds)
    except OptimizeError as error:
        return Probe(name, problem=error.message, next_step=error.next_step)


def available() -> dict[str, str | None]:
    """Return each mode of ``--sandbox`` with None if it can be had here, else the reason why not."""
    found: dict[str, str | None] = {}
    for mode in MODES:
        try:
            select(mode)
            found[mode] = None
        except OptimizeError as error:
            found[mode] = error.message
    return found


@contextlib.contextmanager
def _baits(folder: Path) -> Iterator[dict[str, Any]]:
    """Set out what a child should not reach: files, a variable, and open doors of every family."""
    outside = folder / "outside"
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text("secret")
    abstract = f"probe-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:

        def door(family: int, kind: int, address: Any) -> socket.socket:
            opened = stack.enter_context(socket.socket(family, kind))
            opened.bind(address)
            if kind == socket.SOCK_STREAM:
                opened.listen()
            return opened

        tcp = door(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        udp = door(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        door(socket.AF_UNIX, socket.SOCK_STREAM, str(outside / "door"))
        tcp6 = None
        with contextlib.suppress(OSError):
            tcp6 = door(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)).getsockname()[1]
        if sys.platform == "linux":
            door(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = "secret"
        try:
            yield {
                "secret": str(secret),
                "outside": str(outside),
                "variable": _VARIABLE,
                "tcp": tcp.getsockname()[1],
                "udp": udp.getsockname()[1],
                "tcp6": tcp6,
                "unix": str(outside / "door"),
                "abstract": abstract,
                "parent": os.getpid(),
            }
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
