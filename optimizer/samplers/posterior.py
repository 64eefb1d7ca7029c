"""What the songs so far say: expected scores, effects with intervals, the share of noise, and what more would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from optimizer.samplers.acquisition import width
from optimizer.samplers.checks import require_scores
from optimizer.samplers.draws import Draws, draw, joint_covariance
from optimizer.samplers.features import Array, Indices
from optimizer.samplers.grid import GENRE, Grid
from optimizer.samplers.model import Belief, Model, intercept_of
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.record import Gathered, gather_history
from optimizer.samplers.seeds import derive_seed
from optimizer.samplers.threads import one_thread

OWN_SHARE = 0.5
"""Share of a song's deviation from its recipe that is taken for the song's own worth, and not the judge's error."""
DRAWS = 1000
FUTURES = 128
"""Imagined continuations behind an expected gain."""
CONTENDERS = 120
"""Points an imagined continuation chooses from."""
LEVEL = 0.90


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 90 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What one value of one parameter does within its genre.

    Attributes
    ----------
    genre : str or None
    parameter : str
    value : object
    songs : int
        Scored songs that have it.
    estimate : Estimate
        Score points by which it lies above the mean of the parameter's values, other parameters averaged over; for the
        parameter ``genre``, above the mean of the genres.
    """

    genre: str | None
    parameter: str
    value: Any
    songs: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Favourite:
    """The recipe that is expected to do best.

    Attributes
    ----------
    params : dict
    expected : Estimate
        Score of a new take.
    songs : int
        Scored songs it has.
    probability : float
        That no other recipe is better.
    """

    params: dict[str, Any]
    expected: Estimate
    songs: int
    probability: float


class Posterior:
    """The model's conclusions from some songs; larger scores are better.

    Parameters
    ----------
    grid : Grid
    observations : sequence of Observation
        Songs of the study.
    prior : sequence of Observation
        Songs of earlier studies of the same objective.
    model : Model, optional

    Raises
    ------
    UsageError
        If a score is not a finite number.
    """

    def __init__(
        self,
        grid: Grid,
        observations: Sequence[Observation],
        prior: Sequence[Observation] = (),
        model: Model | None = None,
    ) -> None:
        require_scores(observations, "observations")
        require_scores(prior, "prior")
        self.grid = grid
        self.observations = tuple(sorted(observations, key=lambda one: one.number))
        number = 1 + max((one.number for one in self.observations), default=-1)
        self._seed = derive_seed(0, "posterior", number, len(self.observations))
        with one_thread():
            history = History(number, self.observations)
            self._gathered: Gathered = gather_history(grid, history, prior, model or Model())

    @classmethod
    def from_trials(
        cls,
        observations: Sequence[Observation],
        search_space: Mapping[str, Any],
        subspaces: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        prior: Sequence[Observation] = (),
        model: Model | None = None,
    ) -> Posterior:
        """Make it from songs and a search space as `TopKSampler` takes it."""
        return cls(Grid(search_space, subspaces), observations, prior, model)

    def expected(self, params: Mapping[str, Any]) -> float | None:
        """Return the expected score of a new take of a recipe, or None for one that the grid does not contain."""
        place = self.grid.find(params)
        if place is None:
            return None
        at, beliefs = self._at, self._beliefs
        where = np.flatnonzero(at[place[0]] == place[1])
        if len(where):
            return float(beliefs[place[0]].mean[where[0]])
        points: list[Indices] = [np.zeros(0, dtype=np.int64) for _ in self.grid.blocks]
        points[place[0]] = np.array([place[1]], dtype=np.int64)
        with one_thread():
            found, _ = self._gathered.model.believe(self.grid.blocks, self._gathered.evidence, points, spread=False)
        return float(found[place[0]].mean[0])

    def shrunken(self, song: Observation) -> float | None:
        """Return what a song itself is worth, once luck is taken off.

        Its deviation from its recipe's expected score is partly its own and partly the judge's error. Nothing in the
        scores tells these apart, so half of it is kept (`OWN_SHARE`). None where the grid does not contain its recipe.
        """
        expected = self.expected(song.params)
        return None if expected is None else expected + OWN_SHARE * (song.value - expected)

    def effects(self) -> list[Effect]:
        """Return the effect of every value of every parameter, genre by genre, in the order of the search space."""
        found = []
        surfaces = self._draws.surfaces
        if self.grid.several:
            means = np.stack([surface.mean(axis=1) for surface in surfaces], axis=1)
            means = means - means.mean(axis=1, keepdims=True)
            for number, block in enumerate(self.grid.blocks):
                songs = len(self._gathered.songs[number].values)
                found.append(Effect(block.genre, GENRE, block.genre, songs, _estimate(means[:, number])))
        for number, block in enumerate(self.grid.blocks):
            levels = block.levels(self._at[number])
            heard = block.levels(self._gathered.songs[number].points)
            for column, factor in enumerate(block.factors):
                if len(factor.values) == 1:
                    continue
                sides = {
                    level: surfaces[number][:, levels[:, column] == level].mean(axis=1)
                    for level in np.unique(levels[:, column]).tolist()
                }
                middle = np.mean(list(sides.values()), axis=0)
                found += [
                    Effect(
                        block.genre,
                        factor.name,
                        factor.values[level],
                        int((heard[:, column] == level).sum()),
                        _estimate(side - middle),
                    )
                    for level, side in sides.items()
                ]
        return found

    def noise_share(self) -> Estimate:
        """Return the share of noise in the variance of songs with random recipes of one genre, 0 to 1."""
        draws = self._draws
        surface = np.stack([own.var(axis=1) for own in draws.surfaces], axis=1)
        noise = draws.noise**2
        return _estimate((noise / np.maximum(noise + surface, 1e-300)).mean(axis=1))

    def noise_share_overall(self) -> Estimate:
        """Return the share of noise in the variance of songs with random recipes of random genres, 0 to 1.

        The genres' differences are part of that variance, so it is less than `noise_share` where genres differ; in a
        search of one genre both are the same.
        """
        draws = self._draws
        means = np.stack([own.mean(axis=1) for own in draws.surfaces], axis=1)
        surface = np.stack([own.var(axis=1) for own in draws.surfaces], axis=1).mean(axis=1)
        noise = (draws.noise**2).mean(axis=1)
        return _estimate(noise / np.maximum(noise + surface + means.var(axis=1), 1e-300))

    def noise(self) -> dict[str | None, float]:
        """Return the standard deviation of songs about their recipe's mean, by genre."""
        return {block.genre: belief.noise for block, belief in zip(self.grid.blocks, self._beliefs, strict=True)}

    def favourite(self) -> Favourite:
        """Return the recipe with the highest expected score, and the probability that it is the best one."""
        tops = [int(np.argmax(belief.mean)) for belief in self._beliefs]
        number = max(range(len(tops)), key=lambda block: self._beliefs[block].mean[tops[block]])
        top = tops[number]
        surfaces = self._draws.surfaces
        best = np.max([surface.max(axis=1) for surface in surfaces], axis=0)
        mine = surfaces[number][:, top]
        point = int(self._at[number][top])
        own = int((self._gathered.songs[number].points == point).sum())
        return Favourite(self.grid.blocks[number].point(point), _estimate(mine), own, float((mine >= best).mean()))

    def probability_best(self) -> float:
        """Return the probability that the recipe with the highest expected score is the best one."""
        return self.favourite().probability

    def expected_gain(self, songs: int, top: int = 5) -> float:
        """Return by how much the mean of the best `top` songs is expected to rise with more songs.

        Surfaces are drawn from the posterior, and on each the search goes on for so many songs, learning from them.

        Parameters
        ----------
        songs : int
            1 or more.
        top : int
            Songs whose mean counts; of fewer songs than that, all.
        """
        heard = np.array([one.value for one in self.observations])
        if not len(heard):
            return float("nan")
        # The mean of more songs than there are would be compared with the mean of those there are.
        top = min(top, len(heard))
        with one_thread():
            after = self._imagine(songs, top, np.sort(heard)[-top:])
        return float(after - np.sort(heard)[-top:].mean())

    def _imagine(self, songs: int, top: int, best: Array) -> float:
        """Return the mean of the best songs after imagined ones, averaged over `FUTURES` continuations."""
        random = np.random.default_rng(derive_seed(self._seed, "futures"))
        size, number, where, belief = self._contenders()
        block, own = self.grid.blocks[number], self._gathered.evidence[number]
        effects = self._gathered.model.sizes[size][0]
        unit = joint_covariance(block, effects, intercept_of(self.grid.blocks), own, where)
        values, vectors = np.linalg.eigh(unit)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        truth = belief.mean + belief.noise * random.standard_normal((FUTURES, len(where))) @ root.T
        mean = np.repeat(belief.mean[None], FUTURES, axis=0)
        spread = np.repeat(unit[None], FUTURES, axis=0)
        rows = np.arange(FUTURES)
        kept = np.repeat(best[None], FUTURES, axis=0)
        for song in range(songs):
            sd = belief.noise * np.sqrt(np.maximum(np.einsum("wii->wi", spread), 0.0))
            chosen = np.argmax(mean + width(song, songs) * sd, axis=1)
            scores = truth[rows, chosen] + belief.noise * random.standard_normal(FUTURES)
            column = spread[rows, :, chosen]
            scale = column[rows, chosen] + 1.0
            mean = mean + column * ((scores - mean[rows, chosen]) / scale)[:, None]
            spread -= np.einsum("wi,wj->wij", column / scale[:, None], column)
            kept = np.sort(np.column_stack([kept, scores]), axis=1)[:, -top:]
        return float(kept.mean())

    def _contenders(self) -> tuple[int, int, Indices, Belief]:
        """Return the likeliest size, the most promising block, and that block's most promising points."""
        sizes, weights = self._gathered.model.posteriors(self.grid.blocks, self._gathered.evidence, self._at)
        size = int(np.argmax(weights))
        reach = 2.0 if self.grid.several else 0.0
        promises = [own.mean + 2.0 * own.sd + reach * own.noise for own in sizes[size]]
        number = max(range(len(promises)), key=lambda block: promises[block].max())
        kept = np.sort(np.argsort(-promises[number], kind="stable")[:CONTENDERS])
        belief = sizes[size][number]
        return size, number, self._at[number][kept], Belief(belief.mean[kept], belief.sd[kept], belief.noise)

    @cached_property
    def _at(self) -> list[Indices]:
        """Points that are judged, per block: all, or of a large grid a sample that holds what was heard."""
        return [
            block.candidates(0, self._seed, own.points[np.argsort(-own.means, kind="stable")].tolist())
            for block, own in zip(self.grid.blocks, self._gathered.evidence, strict=True)
        ]

    @cached_property
    def _beliefs(self) -> list[Belief]:
        with one_thread():
            return self._gathered.model.believe(self.grid.blocks, self._gathered.evidence, self._at)[0]

    @cached_property
    def _draws(self) -> Draws:
        with one_thread():
            return draw(self.grid.blocks, self._gathered.evidence, self._at, self._gathered.model, DRAWS, self._seed)


def _estimate(values: Array) -> Estimate:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values.mean()), float(low), float(high))
