"""Sort a history by genre and point, and weigh its songs: outliers little, songs that share a plan together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optimizer.samplers.features import Array, Indices
from optimizer.samplers.grid import GENRE, Grid
from optimizer.samplers.model import COARSE, PUBLISHED, Evidence, Model, gather
from optimizer.samplers.observation import History, Observation

OUTLIER = 3.0
"""Noise sds from its point's mean beyond which a song counts less: by the square of how far it is beyond."""
GUESS_SONGS = 4.0
"""Songs that this first guess is worth."""
FAR = 10.0
"""Robust sds from the median at which a score is cut before anything is fitted; no real song lies as far."""
FEW = 5
"""Songs below which no score is cut."""
ENOUGH = 8
"""Songs below which nothing is called an outlier."""
TYPICAL_NOISE = 0.8
"""Noise sd as a share of the scores' own sd, before anything else is known: sqrt(0.65)."""
SIZE_SONGS = 150
"""Songs that the sizes of effects are learned from; later ones change them too little for what they cost."""
TINY = 1e-100
"""Smaller than any difference between scores, and not zero; its inverse can still be squared."""
PLAN_SHARES = np.array([0.02, 0.2, 0.4, 0.6, 0.8, 0.95])
"""Shares of the noise that a plan may have."""


@dataclass(frozen=True)
class Gathered:
    """A history, sorted.

    Attributes
    ----------
    songs : list of Songs
        By block.
    evidence : list of Evidence
        By block.
    pending : list of int arrays
        Points of songs in the making, by block.
    failed : list of int arrays
        Points of trials that failed, by block.
    broken : list of sets of int
        Points that failed more often than they gave a song, by block.
    begun : list of int
        Songs made or in the making, by block; earlier studies not counted.
    model : Model
        With noise and sizes fitted to the history.
    plan_share : float
        Share of the noise that belongs to the plan.
    """

    songs: list[Songs]
    evidence: list[Evidence]
    pending: list[Indices]
    failed: list[Indices]
    broken: list[set[int]]
    begun: list[int]
    model: Model
    plan_share: float


@dataclass(frozen=True)
class Songs:
    """The songs of one block, in the order of the history.

    Attributes
    ----------
    points : int array [shape=(songs,)]
    values : float array [shape=(songs,)]
    plans : list of int, str or None
    weights : float array [shape=(songs,)]
        What each is worth; less than 1 for outliers.
    """

    points: Indices
    values: Array
    plans: list[int | str | None]
    weights: Array


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
    found: list[list[Observation]] = [[] for _ in grid.blocks]
    points: list[list[int]] = [[] for _ in grid.blocks]
    for observation in [*prior, *history.observations]:
        named = {} if observation.genre is None else {GENRE: observation.genre}
        place = grid.find({**named, **observation.params})
        if place is not None:
            points[place[0]].append(place[1])
            found[place[0]].append(observation)
    songs = [
        Songs(
            np.array(at, dtype=np.int64),
            np.array([one.value for one in own], dtype=float),
            [one.plan if one.number >= 0 or one.plan is None else f"prior {one.plan}" for one in own],
            np.ones(len(own)),
        )
        for at, own in zip(points, found, strict=True)
    ]
    songs = within_reach(songs)
    fitted = scaled_to(model, np.concatenate([own.values[own.weights == 1.0] for own in songs]))
    songs = without_outliers(grid, songs, fitted)
    share = plan_share(grid, songs, fitted)
    pending = [np.array(asked, dtype=np.int64) for asked in _places(grid, history.pending)]
    failed = _places(grid, history.failed)
    return Gathered(
        songs=songs,
        evidence=[evidence_of(own, share) for own in songs],
        pending=pending,
        failed=[np.array(points, dtype=np.int64) for points in failed],
        broken=[_broken(asked, own.points.tolist()) for asked, own in zip(failed, songs, strict=True)],
        begun=[sum(one.number >= 0 for one in own) + len(asked) for own, asked in zip(found, pending, strict=True)],
        model=with_sizes(grid, songs, share, fitted),
        plan_share=share,
    )


def evidence_of(songs: Songs, share: float = 0.0, part: slice = slice(None)) -> Evidence:
    """Reduce a block's songs, or a part of them, to what the model needs."""
    return gather(songs.points[part], songs.values[part], songs.weights[part], songs.plans[part], share)


def scaled_to(model: Model, values: Array) -> Model:
    """Return the model with a first guess of the noise that fits the scale of the scores, whatever it is."""
    if len(values) < 3 or model.learned:
        return model
    spread = float(np.std(values))
    least = 1e-9 * float(np.abs(values).max()) or 1e-9
    return replace(model, noise=max(TYPICAL_NOISE * spread, least), noise_songs=GUESS_SONGS)


def within_reach(songs: Sequence[Songs]) -> list[Songs]:
    """Return the songs with scores cut at `FAR` sds from the median of all, the sd being that of the inner 3/4.

    A score of -1,000 among scores of 3 would else be what the whole scale is learned from. What was cut counts as
    little as an outlier that far.
    """
    values = np.concatenate([own.values for own in songs])
    if len(values) < FEW:
        return list(songs)
    middle = float(np.median(values))
    # Of a normal distribution, three quarters lie within 1.15 sds.
    reach = FAR * float(np.quantile(np.abs(values - middle), 0.75)) / 1.15
    if not reach or np.abs(values - middle).max() <= reach:
        return list(songs)
    cut = [np.clip(own.values, middle - reach, middle + reach) for own in songs]
    return [
        replace(own, values=inside, weights=np.where(inside == own.values, 1.0, (OUTLIER / FAR) ** 2))
        for own, inside in zip(songs, cut, strict=True)
    ]


def without_outliers(grid: Grid, songs: Sequence[Songs], model: Model) -> list[Songs]:
    """Return the songs with what each is worth: as it is, unless it lies far from what its neighbours say.

    Iteratively reweighted fits with the published sizes, coarsely where songs are many: songs beyond `OUTLIER` noise
    sds of their point's mean count by the squared ratio, the noise sd being the robust one of the residuals.
    """
    weighed = list(songs)
    total = sum(len(own.values) for own in songs)
    if total < ENOUGH:
        return weighed
    plain = replace(model, sizes=((PUBLISHED if total <= SIZE_SONGS else COARSE, 0.0),))
    for _ in range(2 if total <= SIZE_SONGS else 1):
        evidence = [evidence_of(own) for own in weighed]
        at = [own.points for own in evidence]
        beliefs, _ = plain.believe(grid.blocks, evidence, at, spread=False)
        relative = [
            np.abs(own.values - belief.mean[np.searchsorted(points, own.points)]) / max(belief.noise, TINY)
            for own, points, belief in zip(weighed, at, beliefs, strict=True)
        ]
        joined = np.concatenate([one[own.weights == 1.0] for one, own in zip(relative, songs, strict=True)])
        scale = max(1.4826 * float(np.median(joined)), 0.5 * float(np.sqrt(np.mean(joined**2))), TINY)
        if joined.max() <= OUTLIER * scale:
            break
        weighed = [
            replace(own, weights=np.minimum(own.weights, (OUTLIER * scale / np.maximum(one, TINY)) ** 2))
            for own, one in zip(songs, relative, strict=True)
        ]
    return weighed


def plan_share(grid: Grid, songs: Sequence[Songs], model: Model) -> float:
    """Return the share of the noise that belongs to the plan: its posterior mean over `PLAN_SHARES`, evenly likely.

    0 while no plan has two songs: then it makes no difference.
    """
    named = [(row, plan) for row, own in enumerate(songs) for plan in own.plans if plan is not None]
    if len(named) == len(set(named)):
        return 0.0
    plain = replace(model, sizes=((PUBLISHED, 0.0),))
    nothing = [np.zeros(0, dtype=np.int64)] * len(grid.blocks)
    likely = [
        plain.log_likelihood(grid.blocks, [evidence_of(own, share) for own in songs], nothing) for share in PLAN_SHARES
    ]
    weights = np.exp(np.array(likely) - max(likely))
    return float(weights @ PLAN_SHARES / weights.sum())


def with_sizes(grid: Grid, songs: Sequence[Songs], share: float, model: Model) -> Model:
    """Return the model with one size of effects, the likeliest, where songs are too many to average over all."""
    total = sum(len(own.values) for own in songs)
    if total <= SIZE_SONGS or len(model.sizes) == 1:
        return model
    first = [slice(0, int(np.ceil(SIZE_SONGS / total * len(own.values)))) for own in songs]
    evidence = [evidence_of(own, share, part) for own, part in zip(songs, first, strict=True)]
    nothing = [np.zeros(0, dtype=np.int64)] * len(grid.blocks)
    _, posterior = model.believe(grid.blocks, evidence, nothing, spread=False)
    return replace(model, sizes=((model.sizes[int(np.argmax(posterior))][0], 0.0),))


def _places(grid: Grid, asked: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in grid.blocks]
    for params in asked:
        place = grid.find(params)
        if place is not None:
            found[place[0]].append(place[1])
    return found


def _broken(failed: Sequence[int], made: Sequence[int]) -> set[int]:
    return {point for point in set(failed) if failed.count(point) > made.count(point)}
