"""How likely a recipe is to give a song at all: a caption the engine chokes on fails with every tempo and key."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial

import numpy as np
from scipy.special import betaln

from optimizer.samplers.features import Array, Indices
from optimizer.samplers.grid import GENRE, Grid

PATIENCE = 2
"""Failures beyond its songs that a genre may have before they count as songs, where genres are to have equally many."""
BY_CHANCE = 0.9
"""Prior probability that failures have nothing to do with the recipe."""


def attempts(songs: int, failed: int) -> int:
    """Return what a genre has had of a budget that is spread evenly.

    Its songs; but where nearly everything fails, not the whole budget.
    """
    return max(songs, failed - PATIENCE)


def survival(
    grid: Grid, made: Sequence[Indices], failed: Sequence[Indices], at: Sequence[Indices]
) -> list[Array] | None:
    """Return the probability that a trial gives a song, by block [shape=(points,)]; None where none failed.

    Averages over hypotheses: all recipes fail at one rate, or each genre, or each value of one parameter, has a rate
    of its own. A rate's prior is a beta distribution worth one trial, about the share of trials that gave a song; the
    hypotheses are weighed by their beta-binomial likelihoods.

    Parameters
    ----------
    grid : Grid
    made, failed : sequences of int arrays [shape=(trials,)]
        Points of the trials that gave a song and that did not, by block.
    at : sequence of int arrays [shape=(points,)]
        Points to judge, by block.
    """
    if not any(len(points) for points in failed):
        return None
    songs, failures = sum(map(len, made)), sum(map(len, failed))
    share = (songs + 0.5) / (songs + failures + 1.0)
    found, likely = [], []
    for keys in _hypotheses(grid):
        counts: dict[Hashable, list[int]] = {}
        for outcome, points in enumerate((made, failed)):
            for block, own in enumerate(points):
                for key in keys(block, own):
                    counts.setdefault(key, [0, 0])[outcome] += 1
        of_key = np.array(list(counts.values()), dtype=float)
        likely.append(float(np.sum(betaln(of_key[:, 0] + share, of_key[:, 1] + 1 - share) - betaln(share, 1 - share))))
        rates = {key: (good + share) / (good + bad + 1.0) for key, (good, bad) in counts.items()}
        found.append([np.array([rates.get(key, share) for key in keys(block, own)]) for block, own in enumerate(at)])
    prior = np.full(len(found), (1 - BY_CHANCE) / max(len(found) - 1, 1))
    prior[0] = BY_CHANCE
    weights = prior * np.exp(np.array(likely) - max(likely))
    weights /= weights.sum()
    return [
        np.asarray(sum(weight * rates[block] for weight, rates in zip(weights, found, strict=True)))
        for block in range(len(at))
    ]


def _hypotheses(grid: Grid) -> Iterator[partial[list[Hashable]]]:
    """Yield functions from a block and points of it to what decides whether they fail."""
    yield partial(_of_factor, grid, None)
    if grid.several:
        yield partial(_of_factor, grid, GENRE)
    names = dict.fromkeys(factor.name for block in grid.blocks for factor in block.factors if len(factor.values) > 1)
    for name in names:
        yield partial(_of_factor, grid, name)


def _of_factor(grid: Grid, name: str | None, number: int, points: Indices) -> list[Hashable]:
    block = grid.blocks[number]
    if name == GENRE:
        return [block.genre] * len(points)
    for column, factor in enumerate(block.factors):
        if factor.name == name:
            return [factor.values[level] for level in block.levels(points)[:, column].tolist()]
    return [None] * len(points)
