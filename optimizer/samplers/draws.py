"""Joint draws of a whole surface from the model's posterior, for what single means and deviations cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.samplers.features import Array, Effects, Indices, features_of
from optimizer.samplers.grid import Block
from optimizer.samplers.model import Evidence, Model, intercept_of


@dataclass(frozen=True)
class Draws:
    """Surfaces drawn from the posterior.

    Attributes
    ----------
    surfaces : list of float arrays [shape=(draws, points)]
        By block, at the points asked for.
    noise : float array [shape=(draws, blocks)]
        Standard deviation of songs about the surface.
    """

    surfaces: list[Array]
    noise: Array


def draw(
    blocks: Sequence[Block], evidence: Sequence[Evidence], at: Sequence[Indices], model: Model, count: int, seed: int
) -> Draws:
    """Draw surfaces, sizes of effects and noise from their joint posterior.

    Parameters
    ----------
    blocks, evidence, at, model
        See `Model.believe`.
    count : int
        Number of draws.
    seed : int
    """
    random = np.random.default_rng(seed)
    sizes, weights = model.posteriors(blocks, evidence, at)
    chosen = np.sort(random.choice(len(weights), size=count, p=weights))
    surfaces = [np.empty((count, len(points))) for points in at]
    noise = np.empty((count, len(blocks)))
    songs = np.array([own.songs for own in evidence]) + model.noise_songs
    freedom = songs if len(blocks) > 1 else np.array([songs[0]])
    for size in np.unique(chosen):
        rows = np.flatnonzero(chosen == size)
        for number, (block, own, points) in enumerate(zip(blocks, evidence, at, strict=True)):
            belief = sizes[size][number]
            sds = belief.noise * np.sqrt(freedom[number] / random.chisquare(freedom[number], len(rows)))
            noise[rows, number] = sds
            covariance = joint_covariance(block, model.sizes[size][0], intercept_of(blocks), own, points)
            values, vectors = np.linalg.eigh(covariance)
            root = vectors * np.sqrt(np.maximum(values, 0.0))
            steps = random.standard_normal((len(rows), len(points))) @ root.T
            surfaces[number][rows] = belief.mean + sds[:, None] * steps
    return Draws(surfaces, noise)


def joint_covariance(block: Block, effects: Effects, intercept: float, evidence: Evidence, at: Indices) -> Array:
    """Return the posterior covariance of points, in units of the noise variance [shape=(points, points)]."""
    features = features_of(block)
    prior = features.variances(effects, intercept)
    own = effects.combo**2 if features.has_combos else 0.0
    rows, seen = features.rows(at), features.rows(evidence.points)
    total = (rows * prior) @ rows.T
    total[np.diag_indices_from(total)] += own
    if not len(evidence.points):
        return np.asarray(total)
    across = (seen * prior) @ rows.T + own * (evidence.points[:, None] == at[None, :])
    inner = (seen * prior) @ seen.T
    inner[np.diag_indices_from(inner)] += own + 1.0 / evidence.precision
    return np.asarray(total - across.T @ np.linalg.solve(inner, across))
