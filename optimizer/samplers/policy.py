"""From a history to the next point, without Optuna: the sweep first, then the upper confidence bound of the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from optimizer.errors import UsageError
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import Effects, fit, gather
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.seeds import derive_seed
from optimizer.samplers.sweep import matching_blocks, matching_points, sweep_point

NOISE = 0.40
WIDTH = 2.0
GENRE_SD = 0.40
GOALS = ("best", "average")

Phase = Literal["sweep", "refine"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next point.

    Attributes
    ----------
    params : dict
        Optuna parameters, without the seed.
    phase : {"sweep", "refine"}
    """

    params: dict[str, Any]
    phase: Phase


@dataclass(frozen=True)
class Policy:
    """How to choose the next song.

    Attributes
    ----------
    grid : Grid
    seed : int
        Of the study.
    n_trials : int or None
        Songs the study shall have in total.
    explore : int or None
        Songs of the sweep; None chooses by the size of the grid.
    goal : {"best", "average"}
        Songs as good as possible, or recipes as good as possible.
    per_genre : bool
        Spread the budget evenly over the genres.
    prior : sequence of Observation
        Songs of earlier studies of the same objective.
    """

    grid: Grid
    seed: int
    n_trials: int | None = None
    explore: int | None = None
    goal: str = "best"
    per_genre: bool = False
    prior: Sequence[Observation] = ()

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise UsageError(f"goal {self.goal!r} is not known: best or average.")

    @property
    def sweep_songs(self) -> int:
        """Songs of the sweep."""
        if self.explore is not None:
            return self.explore
        return default_explore(self.grid, self.n_trials)

    def propose(self, history: History, fixed: Mapping[str, Any] | None = None) -> Proposal:
        """Return the next point after the sweep."""
        blocks = matching_blocks(self.grid, fixed)
        gathered = self._gather(history)
        best: tuple[float, int, int] | None = None
        everything = np.concatenate([values for _, values, _ in gathered])
        centre = float(np.mean(everything)) if len(everything) else 0.0
        if self.per_genre and self.grid.several:
            begun = [len(points) + len(pending) for points, _, pending in gathered]
            blocks = [min(blocks, key=lambda block: (begun[block], block))]
        left = max((self.n_trials or 2 * history.begun) - history.begun, 1)
        for number in blocks:
            points, values, pending = gathered[number]
            block = self.grid.blocks[number]
            scored = sorted(set(points.tolist()), key=lambda point: -values[points == point].mean())
            at = matching_points(block, block.candidates(history.number, self.seed, scored), fixed)
            effects = Effects(intercept=GENRE_SD / NOISE if self.grid.several else 5.0)
            posterior = fit(block, effects, gather(points, values, centre, NOISE), at, pending)
            index = posterior.mean + WIDTH * posterior.sd
            if self.grid.several and self.goal == "best":
                index = index + 0.8 * math.sqrt(2 * math.log(left + 1)) * posterior.noise
            jitter = np.random.default_rng(derive_seed(self.seed, "ties", history.number, number)).random(len(at))
            index = index + 1e-7 * max(posterior.noise, 1e-9) * jitter
            top = int(np.argmax(index))
            if best is None or index[top] > best[0]:
                best = (float(index[top]), number, int(at[top]))
        assert best is not None
        return Proposal(self.grid.blocks[best[1]].point(best[2]), "refine")

    def sweep(self, history: History, fixed: Mapping[str, Any] | None = None) -> Proposal:
        """Return the next point of the sweep."""
        return Proposal(sweep_point(self.grid, history, self.seed, fixed=fixed), "sweep")

    def _gather(self, history: History) -> list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]]:
        points: list[list[int]] = [[] for _ in self.grid.blocks]
        values: list[list[float]] = [[] for _ in self.grid.blocks]
        pending: list[list[int]] = [[] for _ in self.grid.blocks]
        for observation in [*self.prior, *history.observations]:
            place = self.grid.find(observation.params)
            if place is not None:
                points[place[0]].append(place[1])
                values[place[0]].append(observation.value)
        for params in history.pending:
            place = self.grid.find(params)
            if place is not None:
                pending[place[0]].append(place[1])
        return [
            (np.array(own, dtype=np.int64), np.array(scores, dtype=float), np.array(waiting, dtype=np.int64))
            for own, scores, waiting in zip(points, values, pending, strict=True)
        ]


def default_explore(grid: Grid, n_trials: int | None) -> int:
    """Return how many songs the sweep takes: two per genre, or enough of one genre to meet every value."""
    songs = 2 * len(grid.blocks) if grid.several else min(max(grid.blocks[0].shape, default=1), 8)
    songs = min(songs, grid.size)
    return songs if n_trials is None else min(songs, n_trials)
