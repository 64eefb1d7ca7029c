"""What a worker is started with: the class to load, how it is confined, how long it may take."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer.sandbox.mechanism import Mechanism
from optimizer.sandbox.policy import Limits, Policy, interpreter_paths, module_paths
from optimizer.workers.source import source_place

_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a worker.

    Attributes
    ----------
    name : str
        What messages call it, for example ``"renderer 'synth'"``.
    target : str
        ``"module:Class"`` or ``"/path/file.py:Class"``.
    config : mapping
        Handed to the class's ``load``.
    policy : Policy
    mechanism : Mechanism
    paths : tuple of str
        Entries added to the child's ``sys.path``.
    python : Path
        Interpreter of the child.
    log : Path or None
        Where the child's output goes.
    load_deadline : float
        Seconds until it must be ready.
    """

    name: str
    target: str
    policy: Policy
    mechanism: Mechanism
    config: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    log: Path | None = None
    load_deadline: float = 600.0

    def command(self, requests: int, replies: int) -> list[str]:
        """Return the child's program and arguments."""
        return [str(self.python), str(_CHILD), str(requests), str(replies)]


def python_launch(
    name: str,
    target: str,
    scratch: Path,
    mechanism: Mechanism,
    *,
    config: Mapping[str, Any] | None = None,
    read_paths: tuple[Path, ...] = (),
    hidden: tuple[Path, ...] = (),
    device: str = "cpu",
    python: Path | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    log: Path | None = None,
    load_deadline: float = 600.0,
) -> Launch:
    """Describe a worker of this interpreter, or of another one, with what it must be able to read.

    Parameters
    ----------
    name, target, config, device, python, log, load_deadline
        As in `Launch`; `python` None is this process's interpreter, whose search path the child gets too.
    scratch : Path
        Its writable folder.
    mechanism : Mechanism
    read_paths, hidden : tuple of Path
        Beyond the interpreter and its modules.
    environment : mapping, optional
    limits : Limits, optional
    """
    module = target.rpartition(":")[0]
    paths: list[str] = []
    read = [*interpreter_paths(python), _CHILD]
    if python is None:
        read += module_paths()
        # The installed command does not have the working directory on its path; last, it hides nothing.
        paths = [str(Path(entry or ".").absolute()) for entry in [*sys.path, ""]]
        if not module.startswith("optimizer.") and not module.endswith(".py"):
            read.append(source_place(module))
    if module.endswith(".py"):
        read.append(Path(module))
    policy = Policy(
        scratch=scratch.resolve(),
        read=(*read, *read_paths),
        hidden=hidden,
        device=device,
        environment=environment or {},
        limits=limits or Limits(),
    )
    return Launch(
        name=name,
        target=target,
        policy=policy,
        mechanism=mechanism,
        config=config or {},
        paths=tuple(dict.fromkeys(paths)),
        python=Path(sys.executable) if python is None else python,
        log=log,
        load_deadline=load_deadline,
    )
