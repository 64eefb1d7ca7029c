"""Worlds to search in: surfaces of scores over style, BPM and key, drawn from a fit to real songs.

The fit is a Bayesian mixed model of our own, sampled by Metropolis steps: per genre a mean, effects of style, BPM, key
and their pairs, a part particular to each combination, and noise. One song per combination cannot tell that part from
noise, so their split is a prior (Beta(1, 4)), as it was in the published analysis.
"""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GENRES = ("hip-hop", "pop", "rnb", "latin", "bollywood", "bhangra", "cpop", "rock", "edm", "acoustic")
MEANS = (2.92, 3.05, 2.62, 3.19, 3.53, 3.77, 3.20, 3.03, 3.71, 2.63)
NOISE = (0.23, 0.48, 0.27, 0.35, 0.40, 0.31, 0.48, 0.41, 0.59, 0.27)
"""Published mean score and noise sd of each genre, used where the songs themselves are not here."""
ALIASES = {"hip hop": "hip-hop", "r&b": "rnb", "punjabi": "bhangra", "c-pop": "cpop"}
SHAPE = (4, 5, 5)
SUBSETS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
GENRE_SD = 0.40
PUBLISHED = (0.42, 0.18, 0.33, 0.22, 0.22, 0.22)
"""Published effects in units of the residual sd: style, BPM, key, and their pairs."""


@dataclass(frozen=True)
class World:
    """One landscape.

    Attributes
    ----------
    surface : float array [shape=(genres, styles, BPMs, keys)]
        Expected score of each recipe.
    noise : float array [shape=(genres,)]
        Standard deviation of songs about it.
    seed : int
        Decides every song: the score of a recipe's n-th take is the same for every policy.
    tail : float
        Degrees of freedom of the noise; infinity is Gaussian.
    floor : float
        Scores below are raised to it.
    outliers : float
        Share of songs with a score drawn evenly from 0 to 10.
    sizes : tuple of floats
        What the surface was drawn with, in units of the noise: sd of the effects by `SUBSETS`, and of a combination's
        own part. Empty where there is no such thing.
    """

    surface: Array
    noise: Array
    seed: int
    tail: float = float("inf")
    floor: float = -float("inf")
    outliers: float = 0.0
    sizes: tuple[float, ...] = ()

    def takes(self, count: int) -> Array:
        """Return the scores of the first takes of each recipe [shape=(genres, recipes, count)]."""
        # The takes are drawn first to last, so that a longer run begins with the songs of a shorter one.
        genres, recipes = self.surface.shape[0], self.surface[0].size
        shape = (count, genres, recipes)
        random = np.random.default_rng([self.seed, 1])
        if np.isinf(self.tail):
            noise = random.standard_normal(shape)
        else:
            noise = random.standard_t(self.tail, shape) / np.sqrt(self.tail / (self.tail - 2))
        scores = self.surface.reshape(genres, recipes) + self.noise[:, None] * noise
        if self.outliers:
            wild = np.random.default_rng([self.seed, 4]).random((count, 2, genres, recipes))
            scores = np.where(wild[:, 0] < self.outliers, 10 * wild[:, 1], scores)
        scores = np.moveaxis(scores, 0, -1)
        return np.maximum(scores, self.floor)


@dataclass(frozen=True)
class Songs:
    """Songs to fit to: level of each factor and score, by genre.

    Attributes
    ----------
    levels : list of int arrays [shape=(songs, 3)]
    scores : list of float arrays [shape=(songs,)]
    bpms : list of float arrays [shape=(5,)]
        Tempo of each level.
    """

    levels: list[NDArray[np.int64]]
    scores: list[Array]
    bpms: list[Array]


def read_songs(path: Path) -> Songs:
    """Read songs of the ten genres: columns genre, style_index, bpm, key, score; rows without a score are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    levels, scores, bpms = [], [], []
    for genre in GENRES:
        own = [row for row in rows if _genre_id(row["genre"]) == genre]
        tempi = sorted({int(row["bpm"]) for row in own})
        keys = sorted({row["key"] for row in own})
        levels.append(
            np.array([[int(row["style_index"]), tempi.index(int(row["bpm"])), keys.index(row["key"])] for row in own])
        )
        scores.append(np.array([float(row["score"]) for row in own]))
        bpms.append(np.array([*map(float, tempi), *[tempi[-1] * 1.05] * (SHAPE[1] - len(tempi))]))
    return Songs(levels, scores, bpms)


def _genre_id(name: str) -> str:
    first = name.split("/")[0].strip().lower()
    return ALIASES.get(first, first)


@dataclass(frozen=True)
class Parameters:
    """What a world is drawn with.

    Attributes
    ----------
    effects : float array [shape=(6,)]
        Standard deviations in units of the residual's, by `SUBSETS`.
    combo : float
        Share of the residual variance that belongs to the combination.
    residual : float array [shape=(genres,)]
        Standard deviation of what is left.
    """

    effects: Array
    combo: float
    residual: Array


def covariance(effects: Array, levels: NDArray[np.int64], bpm: Array) -> Array:
    """Return the prior covariance of the effects at some points, in units of the residual variance."""
    octaves = np.log2(bpm)[levels[:, 1]]
    same = [
        (levels[:, 0][:, None] == levels[:, 0]).astype(float),
        np.exp(-0.5 * ((octaves[:, None] - octaves) / 0.25) ** 2),
        (levels[:, 2][:, None] == levels[:, 2]).astype(float),
    ]
    total = np.zeros_like(same[0])
    for effect, subset in zip(effects, SUBSETS, strict=True):
        total += effect**2 * np.prod([same[factor] for factor in subset], axis=0)
    return total


class Landscape:
    """Draws worlds.

    Parameters
    ----------
    songs : Songs or None
        To fit to; None draws from the published table instead.
    seed : int
        Of the fit.
    """

    def __init__(self, songs: Songs | None, seed: int = 0) -> None:
        self.songs = songs
        self.points = np.array(list(itertools.product(*map(range, SHAPE))))
        self._draws = self._sample(np.random.default_rng(seed)) if songs is not None else []
        self._table_bpm = np.array([100.0, 110, 120, 130, 140])

    def _sample(self, random: np.random.Generator, steps: int = 12000) -> list[Parameters]:
        assert self.songs is not None
        state = np.concatenate([np.log(PUBLISHED), [np.log(0.2 / 0.8)], np.log(np.array(NOISE) * 1.1)])
        value = self._log_posterior(state)
        scale = np.concatenate([np.full(6, 0.35), [0.5], np.full(10, 0.10)])
        draws = []
        for step in range(steps):
            moved = state.copy()
            chosen = random.integers(0, 17) if step % 2 else slice(None)
            moved[chosen] += random.standard_normal(17)[chosen] * scale[chosen] * (1.5 if step % 2 else 0.35)
            new = self._log_posterior(moved)
            if np.log(random.random()) < new - value:
                state, value = moved, new
            if step >= 2000 and step % 10 == 0:
                draws.append(Parameters(np.exp(state[:6]), 1 / (1 + np.exp(-state[6])), np.exp(state[7:])))
        return draws

    def _log_posterior(self, state: Array) -> float:
        assert self.songs is not None
        effects, logit, residual = np.exp(state[:6]), state[6], np.exp(state[7:])
        share = 1 / (1 + np.exp(-logit))
        width = np.array([0.4, 0.4, 0.4, 0.3, 0.3, 0.3])
        # Half-normal effects, Beta(1, 4) share, log-normal residuals; each with the Jacobian of its logarithm.
        total = float(np.sum(-0.5 * (effects / width) ** 2 + state[:6]))
        total += float(np.log(share) + 4 * np.log1p(-share))
        centre = state[7:].mean()
        total += float(-0.5 * np.sum(((state[7:] - centre) / 0.35) ** 2) - 0.5 * ((centre - np.log(0.42)) / 0.3) ** 2)
        middle = float(np.mean([own.mean() for own in self.songs.scores]))
        for own, levels, bpm, sd in zip(self.songs.scores, self.songs.levels, self.songs.bpms, residual, strict=True):
            matrix = sd**2 * (covariance(effects, levels, bpm) + np.eye(len(own))) + GENRE_SD**2
            root = np.linalg.cholesky(matrix)
            white = np.linalg.solve(root, own - middle)
            total += float(-0.5 * white @ white - np.log(np.diagonal(root)).sum())
        return total

    def world(self, seed: int, *, genre: int | None = None, conditioned: bool = True) -> World:
        """Draw a world.

        Parameters
        ----------
        seed : int
        genre : int, optional
            Draw that genre alone; all of them by default.
        conditioned : bool
            Whether the surface shall agree with the songs, or be another of the same kind.
        """
        random = np.random.default_rng([seed, 0])
        if self.songs is None:
            parameters = Parameters(
                np.array(PUBLISHED) * random.lognormal(0, 0.35, 6), float(random.beta(1, 4)), np.array(NOISE) * 1.1
            )
        else:
            parameters = self._draws[random.integers(len(self._draws))]
        genres = range(len(GENRES)) if genre is None else [genre]
        surfaces, noises = [], []
        for number in genres:
            surface, noise = self._genre(number, parameters, random, conditioned)
            surfaces.append(surface.reshape(SHAPE))
            noises.append(noise)
        share = parameters.combo
        sizes = np.append(parameters.effects, np.sqrt(share)) / np.sqrt(1 - share)
        return World(np.array(surfaces), np.array(noises), seed, sizes=tuple(sizes.tolist()))

    def _genre(
        self, genre: int, parameters: Parameters, random: np.random.Generator, conditioned: bool
    ) -> tuple[Array, float]:
        sd, share = parameters.residual[genre], parameters.combo
        bpm = self.songs.bpms[genre] if self.songs is not None else self._table_bpm
        prior = sd**2 * (covariance(parameters.effects, self.points, bpm) + share * np.eye(len(self.points)))
        if self.songs is None:
            mean = np.full(len(self.points), MEANS[genre])
        else:
            middle = float(np.mean([own.mean() for own in self.songs.scores]))
            prior = prior + GENRE_SD**2
            mean = np.full(len(self.points), middle)
            if conditioned:
                where = np.ravel_multi_index(tuple(self.songs.levels[genre].T), SHAPE)
                observed = prior[np.ix_(where, where)] + sd**2 * (1 - share) * np.eye(len(where))
                gain = np.linalg.solve(observed, prior[where]).T
                mean = mean + gain @ (self.songs.scores[genre] - middle)
                prior = prior - gain @ prior[where]
        root = np.linalg.cholesky(prior + 1e-9 * np.eye(len(prior)))
        return mean + root @ random.standard_normal(len(mean)), float(sd * np.sqrt(1 - share))


def changed(world: World, kind: str) -> World:
    """Return a world unlike the fitted ones.

    Parameters
    ----------
    world : World
        Of one genre.
    kind : str
        ``noise x2``, ``noise x0.5``, ``additive``, ``interactive``, ``nothing`` (no effect at all), ``heavy tails``,
        ``floor at 2``, ``outliers`` or ``12 x 10 x 24``.
    """
    random = np.random.default_rng([world.seed, 2])
    surface = world.surface
    middle = surface.mean(axis=(1, 2, 3), keepdims=True)
    spread = surface.std(axis=(1, 2, 3), keepdims=True)
    if kind == "noise x2":
        return replace(world, noise=world.noise * 2)
    if kind == "noise x0.5":
        return replace(world, noise=world.noise / 2)
    if kind == "additive":
        sides = [
            surface.mean(axis=tuple(other for other in (1, 2, 3) if other != axis), keepdims=True) - middle
            for axis in (1, 2, 3)
        ]
        flat = sides[0] + sides[1] + sides[2]
        return replace(world, surface=middle + flat / flat.std(axis=(1, 2, 3), keepdims=True) * spread)
    if kind == "interactive":
        return replace(world, surface=middle + spread * random.standard_normal(surface.shape))
    if kind == "nothing":
        return replace(world, surface=np.broadcast_to(middle, surface.shape).copy())
    if kind == "heavy tails":
        return replace(world, tail=3.0)
    if kind == "floor at 2":
        return replace(world, surface=surface - middle + 2.0 + 0.5 * world.noise[:, None, None, None], floor=2.0)
    if kind == "outliers":
        return replace(world, outliers=0.05)
    if kind == "12 x 10 x 24":
        shape = (12, 10, 24)
        effects = np.array(PUBLISHED) * world.noise[0]
        total = np.full(shape, float(middle[0, 0, 0, 0]))
        for effect, subset in zip(effects, SUBSETS, strict=True):
            size = tuple(length if axis in subset else 1 for axis, length in enumerate(shape))
            total = total + effect * random.standard_normal(size)
        total = total + 0.28 * world.noise[0] * random.standard_normal(shape)
        return replace(world, surface=total[None])
    raise ValueError(f"no such kind of world: {kind!r}")


KINDS = ("noise x2", "noise x0.5", "additive", "interactive", "nothing", "heavy tails", "floor at 2", "outliers",
         "12 x 10 x 24")  # fmt: skip
