"""A song and a run as they are read back: what selection, export, report and training work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Song:
    """A finished trial: recipe, clip and score.

    Attributes
    ----------
    study : str
        Name of the run it came from.
    number : int
        Optuna trial number within that study.
    recipe : Recipe
    phase : {"sweep", "refine", "verify", "import"}
        What made the study propose it.
    value : float
        The objective, 0 to 10, as the scorer gave it.
    audio : Path or None
        Absolute path of the master; None for an imported song whose audio is not here.
    sha256 : str
        Of the master file's bytes.
    parts : mapping of str to float
        The scorer's parts, and any added by a later rescore.
    expected : float or None
        Posterior mean of what a new take of its recipe would score.
    shrunken : float or None
        Estimate of this song's own worth once the winner's curse is taken off.
    timings : mapping of str to float
        Seconds: ``render``, ``score``, ``wait``, and the engine's own stages.
    attempts : int
        Renders tried for it, 1 or more.
    info : mapping
        What the engine returned: seed really used, plan, sample rate, warnings.
    plan : str or None
        Path of the plan it was rendered from, relative to the run folder.
    plan_of : int or None
        Trial whose plan it replayed; None if the plan was made for it.
    started, finished : float or None
        Unix time.
    curve : sequence of float
        Score over time where the scorer gives one.
    """

    study: str
    number: int
    recipe: Recipe
    phase: str
    value: float
    audio: Path | None
    sha256: str
    parts: Mapping[str, float] = field(default_factory=dict)
    expected: float | None = None
    shrunken: float | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    info: Mapping[str, Any] = field(default_factory=dict)
    plan: str | None = None
    plan_of: int | None = None
    started: float | None = None
    finished: float | None = None
    curve: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedTrial:
    """A trial that gave no song, with the reason."""

    number: int
    recipe: Recipe | None
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Record:
    """One run, read back from its folder.

    Attributes
    ----------
    name : str
    folder : Path
        Absolute run directory.
    identity : mapping
        The frozen identity as in ``run.toml``: tables ``space``, ``renderer``, ``scorer``, ``search``.
    songs : tuple of Song
        By trial number.
    failed : tuple of FailedTrial
    running : int
        Trials that are neither finished nor failed.
    target : int or None
        Songs that were last asked for.
    """

    name: str
    folder: Path
    identity: Mapping[str, Any]
    songs: tuple[Song, ...]
    failed: tuple[FailedTrial, ...] = ()
    running: int = 0
    target: int | None = None
