"""What a renderer is made of: the `Engine` that lives in the child, and the `Clip` that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class Support(StrEnum):
    """How far an engine follows a recipe field."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class Engine(Protocol):
    """A renderer's inside: constructed without arguments in the sandboxed child.

    Optional attributes and methods, read if they are there:

    ``supports : Mapping[str, Support]``
        Per recipe field; a field left out counts as full.
    ``check(recipes: list[dict]) -> list[str]``
        Called once after `load` with one recipe per combination of style and language; each string is a
        problem that makes the search space unusable for this engine (exit 2 before the first render).
    ``on_step : Callable[[int, int], None]``
        Set by the worker; call it with (step, steps) to show progress.
    ``cancel() -> None``
        May be called from another thread; the song in flight is dropped at the end of its current step.
    """

    def load(self, config: dict[str, Any]) -> dict[str, Any] | None:
        """Load the model; return what is worth recording (device, dtype, sample_rate ...)."""

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Write one audio file at `out` and return what is worth keeping.

        Parameters
        ----------
        recipe : dict
            Recipe's fields. ``recipe["plan"]`` may hold audio codes of an earlier render to replay.
        out : Path
            Where to write; any format libsndfile reads.

        Returns
        -------
        dict
            JSON types: ``seed`` really used, ``plan`` (text), ``timings`` (seconds by stage), ``warnings``;
            ``recycle``, a reason to replace the child before the next song, such as memory that grows on the device.
        """


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What the parent must know of an engine before a child runs.

    Attributes
    ----------
    name : str
    target : str
        ``"package.module:Class"``, importable in the child; or ``"/path/file.py:Class"``, a file that needs nothing of
        this package, for an interpreter (`python`) that cannot import it.
    revision : str
        Version of the engine and hash or pinned revision of its weights: part of a run's identity.
    config : mapping
        Handed to `Engine.load`.
    read_paths : tuple of Path
        What the child may read besides the interpreter and its packages.
    device : str
        ``cpu``, ``cuda`` or ``mps``; device nodes are opened in the sandbox accordingly.
    supports : mapping
    python : Path or None
        Interpreter to run in; None for this one.
    environment : mapping
        Extra environment variables for the child.
    memory_limit : int
        Bytes of resident memory (RSS) above which the child is replaced.
    deadline : float
        Seconds allowed for one render, before it counts as hung.
    load_deadline : float
    copies : bool
        Whether several workers may run side by side on one machine.
    plans : bool
        Whether it returns plans that can be replayed.
    """

    name: str
    target: str
    revision: str
    config: Mapping[str, Any] = field(default_factory=dict)
    read_paths: tuple[Path, ...] = ()
    device: str = "cpu"
    supports: Mapping[str, Support] = field(default_factory=dict)
    python: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_limit: int = 4 << 30
    deadline: float = 600.0
    load_deadline: float = 600.0
    copies: bool = True
    plans: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """One rendered song, checked and stored.

    Attributes
    ----------
    path : Path
        FLAC master.
    sha256 : str
        Of the file's bytes.
    sample_rate : int
        Hz.
    duration : float
        Seconds.
    info : mapping
        What the engine returned.
    """

    path: Path
    sha256: str
    sample_rate: int
    duration: float
    info: Mapping[str, Any] = field(default_factory=dict)
