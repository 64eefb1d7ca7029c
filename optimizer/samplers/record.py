"""Sort a history by genre and point, and weigh its songs: outliers little, songs that share a plan together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.samplers.features import Array, Indices
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import PUBLISHED, Evidence, Model, gather
from optimizer.samplers.observation import History, Observation

OUTLIER = 3.0
"""Noise sds from its point's mean beyond which a song counts less: by the square of how far it is beyond."""
GUESS_SONGS = 4.0
"""Songs that this first guess is worth."""
ENOUGH = 8
"""Songs below which nothing is called an outlier."""
TYPICAL_NOISE = 0.8
"""Noise sd as a share of the scores' own sd, before anything else is known: sqrt(0.65)."""
SIZE_SONGS = 150
"""Songs that the sizes of effects are learned from; later ones change them too little for what they cost."""


@dataclass(frozen=True)
class Gathered:
    """A history, sorted.

    Attributes
    ----------
    evidence : list of Evidence
        By block.
    pending : list of int arrays
        Points of songs in the making, by block.
    broken : list of sets of int
        Points that failed more often than they gave a song, by block.
    begun : list of int
        Songs made or in the making, by block; earlier studies not counted.
    model : Model
        With noise and sizes fitted to the history.
    """

    evidence: list[Evidence]
    pending: list[Indices]
    broken: list[set[int]]
    begun: list[int]
    model: Model


def gather_history(grid: Grid, history: History, prior: Sequence[Observation], model: Model) -> Gathered:
    """Sort a history by block and point.

    Songs at points that the grid does not contain are left out.

    Parameters
    ----------
    grid : Grid
    history : History
    prior : sequence of Observation
        Songs of earlier studies.
    model : Model
    """
    blocks = len(grid.blocks)
    points: list[list[int]] = [[] for _ in range(blocks)]
    values: list[list[float]] = [[] for _ in range(blocks)]
    own = [0] * blocks
    for observation in [*prior, *history.observations]:
        place = grid.find(observation.params)
        if place is not None:
            points[place[0]].append(place[1])
            values[place[0]].append(observation.value)
            own[place[0]] += observation.number >= 0
    pending = _places(grid, [*history.pending])
    failed = _places(grid, [*history.failed])
    arrays = [(np.array(p, dtype=np.int64), np.array(v, dtype=float)) for p, v in zip(points, values, strict=True)]
    fitted = scaled_to(model, np.concatenate([v for _, v in arrays]))
    weights = outlier_weights(grid, arrays, fitted)
    evidence = [gather(p, v, w) for (p, v), w in zip(arrays, weights, strict=True)]
    return Gathered(
        evidence,
        [np.array(asked, dtype=np.int64) for asked in pending],
        [_broken(asked, made.tolist()) for asked, (made, _) in zip(failed, arrays, strict=True)],
        [count + len(asked) for count, asked in zip(own, pending, strict=True)],
        with_sizes(grid, arrays, weights, fitted),
    )


def scaled_to(model: Model, values: Array) -> Model:
    """Return the model with a first guess of the noise that fits the scale of the scores, whatever it is."""
    if len(values) < 3:
        return model
    spread = float(np.std(values))
    least = 1e-9 * (1.0 + float(np.abs(values).max()))
    return replace(model, noise=max(TYPICAL_NOISE * spread, least), noise_songs=GUESS_SONGS)


def outlier_weights(grid: Grid, songs: Sequence[tuple[Indices, Array]], model: Model) -> list[Array]:
    """Return what each song is worth, 1 unless it lies far from what its neighbours say [shape=(songs,) per block].

    Two rounds of iteratively reweighted fits with the published sizes; songs beyond `OUTLIER` noise sds count by the
    squared ratio, the noise sd being the robust one of the residuals.
    """
    weights = [np.ones(len(values)) for _, values in songs]
    if sum(map(len, weights)) < ENOUGH:
        return weights
    plain = replace(model, sizes=((PUBLISHED, 0.0),))
    for _ in range(2):
        evidence = [gather(points, values, own) for (points, values), own in zip(songs, weights, strict=True)]
        at = [own.points for own in evidence]
        beliefs, _ = plain.believe(grid.blocks, evidence, at, spread=False)
        residuals = [
            values - belief.mean[np.searchsorted(own, points)]
            for (points, values), own, belief in zip(songs, at, beliefs, strict=True)
        ]
        relative = [one / max(belief.noise, 1e-12) for one, belief in zip(residuals, beliefs, strict=True)]
        joined = np.abs(np.concatenate(relative))
        scale = max(1.4826 * float(np.median(joined)), 0.5 * float(np.sqrt(np.mean(joined**2))), 1e-12)
        weights = [np.minimum(1.0, (OUTLIER * scale / np.maximum(np.abs(one), 1e-12)) ** 2) for one in relative]
        if all(np.all(one == 1.0) for one in weights):
            break
    return weights


def with_sizes(grid: Grid, songs: Sequence[tuple[Indices, Array]], weights: Sequence[Array], model: Model) -> Model:
    """Return the model with one size of effects, the likeliest, where songs are too many to average over all."""
    if sum(len(values) for _, values in songs) <= SIZE_SONGS or len(model.sizes) == 1:
        return model
    share = SIZE_SONGS / sum(len(values) for _, values in songs)
    first = [slice(0, int(np.ceil(share * len(values)))) for _, values in songs]
    evidence = [
        gather(points[part], values[part], own[part])
        for (points, values), own, part in zip(songs, weights, first, strict=True)
    ]
    nothing = [np.zeros(0, dtype=np.int64)] * len(grid.blocks)
    _, posterior = model.believe(grid.blocks, evidence, nothing, spread=False)
    return replace(model, sizes=((model.sizes[int(np.argmax(posterior))][0], 0.0),))


def _places(grid: Grid, asked: Sequence[object]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in grid.blocks]
    for params in asked:
        place = grid.find(params)  # type: ignore[arg-type]
        if place is not None:
            found[place[0]].append(place[1])
    return found


def _broken(failed: Sequence[int], made: Sequence[int]) -> set[int]:
    return {point for point in set(failed) if failed.count(point) > made.count(point)}
