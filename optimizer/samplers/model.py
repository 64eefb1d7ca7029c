"""A conjugate Bayesian mixed model of one genre: main effects, two-way effects, a residual per combination, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from optimizer.samplers.grid import Block

Array = NDArray[np.float64]

MAIN = {"style": 0.35, "bpm": 0.12, "key": 0.20, "language": 0.15}
OTHER = 0.25


@dataclass(frozen=True)
class Effects:
    """Prior standard deviations of the effects, in units of the noise.

    Attributes
    ----------
    main : mapping
        By parameter; parameters that are not named have `OTHER`.
    pair : float
        Of each pair of parameters.
    combo : float
        Of what is particular to a combination.
    intercept : float
        Of the genre's mean about `Evidence.centre`.
    """

    main: Mapping[str, float] = field(default_factory=lambda: dict(MAIN))
    pair: float = 0.18
    combo: float = 0.30
    intercept: float = 5.0
    octaves: float = 0.25


def kernel(block: Block, effects: Effects, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """Return prior covariances between points, in units of the noise variance [shape=(rows, columns)]."""
    same = []
    for position, factor in enumerate(block.factors):
        if len(factor.values) == 1:
            continue
        left, right = rows[:, position], columns[:, position]
        if factor.numeric:
            gap = factor.scale[left][:, None] - factor.scale[right][None, :]
            same.append((factor.name, np.exp(-0.5 * (gap / effects.octaves) ** 2)))
        else:
            same.append((factor.name, (left[:, None] == right[None, :]).astype(float)))
    total = np.full((len(rows), len(columns)), effects.intercept**2)
    combo = np.ones_like(total)
    for position, (name, alike) in enumerate(same):
        total += effects.main.get(name, OTHER) ** 2 * alike
        combo *= alike
        for _, other in same[:position]:
            total += effects.pair**2 * alike * other
    if len(same) > 1:
        total += effects.combo**2 * combo
    return total


@dataclass(frozen=True)
class Evidence:
    """Scores of one genre, gathered by point.

    Attributes
    ----------
    points : int array [shape=(distinct,)]
    counts, means : float arrays [shape=(distinct,)]
    spread : float
        Sum of squares within points.
    centre : float
        Where scores lie before any is seen.
    noise : float
        Prior guess of the noise sd, worth `weight` songs.
    weight : float
    """

    points: NDArray[np.int64]
    counts: Array
    means: Array
    spread: float
    centre: float
    noise: float
    weight: float = 6.0


def gather(points: NDArray[np.int64], values: Array, centre: float, noise: float, weight: float = 6.0) -> Evidence:
    """Reduce songs to what the model needs."""
    distinct, inverse = np.unique(points, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(distinct)).astype(float)
    means = np.bincount(inverse, weights=values, minlength=len(distinct)) / np.maximum(counts, 1.0)
    spread = float(((values - means[inverse]) ** 2).sum()) if len(values) else 0.0
    return Evidence(distinct, counts, means, spread, centre, noise, weight)


@dataclass(frozen=True)
class Posterior:
    """What is known of some points.

    Attributes
    ----------
    mean : float array [shape=(points,)]
        Expected score of a new song.
    sd : float array [shape=(points,)]
        Standard deviation of that expectation.
    noise : float
        Standard deviation of songs about it.
    """

    mean: Array
    sd: Array
    noise: float


def fit(
    block: Block,
    effects: Effects,
    evidence: Evidence,
    candidates: NDArray[np.int64],
    pending: NDArray[np.int64],
) -> Posterior:
    """Compute the posterior of `candidates`; `pending` songs count as returned at their mean."""
    at = block.levels(candidates)
    level = np.full(len(candidates), evidence.centre)
    variance = np.diagonal(kernel(block, effects, at[:1], at[:1]))[0] * np.ones(len(candidates))
    noise = evidence.noise
    if len(evidence.points):
        seen = block.levels(evidence.points)
        root = cholesky(kernel(block, effects, seen, seen) + np.diag(1.0 / evidence.counts), lower=True)
        across = kernel(block, effects, seen, at)
        whitened = solve_triangular(root, evidence.means - evidence.centre, lower=True)
        reduced = solve_triangular(root, across, lower=True)
        level = level + whitened @ reduced
        songs = evidence.counts.sum()
        squares = evidence.weight * evidence.noise**2 + evidence.spread + float(whitened @ whitened)
        noise = float(np.sqrt(squares / (evidence.weight + songs)))
        if not len(pending):
            variance = variance - (reduced**2).sum(axis=0)
    if len(pending):
        points, counts = _with_pending(evidence, pending)
        seen = block.levels(points)
        root = cholesky(kernel(block, effects, seen, seen) + np.diag(1.0 / counts), lower=True)
        reduced = solve_triangular(root, kernel(block, effects, seen, at), lower=True)
        variance = variance - (reduced**2).sum(axis=0)
    return Posterior(level, noise * np.sqrt(np.maximum(variance, 1e-12)), noise)


def _with_pending(evidence: Evidence, pending: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    everywhere = np.concatenate([evidence.points, pending])
    counts = np.concatenate([evidence.counts, np.ones(len(pending))])
    points, inverse = np.unique(everywhere, return_inverse=True)
    return points.astype(np.int64), np.bincount(inverse, weights=counts, minlength=len(points)).astype(float)
