"""The sweep: a seeded walk over the grid without repeats that meets every value early, genre by genre in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizer.samplers.failures import attempts
from optimizer.samplers.grid import GENRE, Block, Factor, Grid
from optimizer.samplers.observation import History
from optimizer.samplers.seeds import derive_seed

LANGUAGE = "language"
NEAR = 0.08
"""Octaves within which two BPMs count as covering each other, where there are more than a few."""
FEW = 12
"""Values up to which each one counts for itself alone."""


def sweep_point(grid: Grid, history: History, seed: int, *, fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the next point of the sweep.

    The genre is the one with the fewest songs, made or in the making; one where nearly all fail is not asked for
    ever. Within it the point is the one least like what
    was asked before: first of all new in all but the language, then new with it, then of values met least often, one
    by one and in pairs. Equal points are told apart by a seeded shuffle. Points of failed trials are asked like the
    others, so they do not come back until the genre's points are exhausted; then the walk starts over.

    Parameters
    ----------
    grid : Grid
    history : History
        Only parameters are read, never scores.
    seed : int
        Of the study.
    fixed : mapping, optional
        Values that are settled already; used where a point has them.
    """
    shuffled = np.random.default_rng(derive_seed(seed, "genres")).permutation(len(grid.blocks))
    songs, failed = [0] * len(grid.blocks), [0] * len(grid.blocks)
    asked: list[list[int]] = [[] for _ in grid.blocks]
    alive = [*(observation.params for observation in history.observations if observation.number >= 0), *history.pending]
    for params, counts in [*((params, True) for params in alive), *((params, False) for params in history.failed)]:
        place = grid.find(params)
        if place is not None:
            asked[place[0]].append(place[1])
            songs[place[0]] += counts
            failed[place[0]] += not counts
    open_blocks = matching_blocks(grid, fixed)
    number = min(open_blocks, key=lambda block: (attempts(songs[block], failed[block]), shuffled[block]))
    block = grid.blocks[number]
    rank = np.random.default_rng(derive_seed(seed, "sweep", block.genre)).permutation
    candidates = matching_points(block, block.candidates(history.number, seed), fixed)
    return block.point(_least_met(block, candidates, asked[number], rank))


def matching_blocks(grid: Grid, fixed: Mapping[str, Any] | None) -> list[int]:
    """Return the blocks that have as many of the fixed values as any has."""
    if not fixed:
        return list(range(len(grid.blocks)))
    matches = [
        (fixed.get(GENRE) == block.genre)
        + sum(fixed[factor.name] in factor.values for factor in block.factors if factor.name in fixed)
        for block in grid.blocks
    ]
    return [number for number, count in enumerate(matches) if count == max(matches)]


def matching_points(block: Block, indices: NDArray[np.int64], fixed: Mapping[str, Any] | None) -> NDArray[np.int64]:
    """Move `indices` to the points that have the fixed values; values the block lacks are left alone."""
    settled = [
        (column, level)
        for column, factor in enumerate(block.factors)
        if fixed and factor.name in fixed and (level := factor.level(fixed[factor.name])) is not None
    ]
    if not settled:
        return indices
    levels = block.levels(indices)
    for column, level in settled:
        levels[:, column] = level
    return np.unique(np.ravel_multi_index(tuple(levels.T), block.shape)).astype(np.int64)


def _least_met(block: Block, candidates: NDArray[np.int64], asked: Iterable[int], rank: Any) -> int:
    if block.size == 1:
        return 0
    levels = block.levels(candidates)
    met = block.levels(np.asarray(list(asked), dtype=np.int64))
    shuffled = rank(block.size)[candidates] if block.size <= 10**6 else rank(len(candidates))
    names = [factor.name for factor in block.factors]
    rest = [column for column, name in enumerate(names) if name != LANGUAGE] or list(range(len(names)))
    keys: list[NDArray[Any]] = [shuffled, _pairs(levels, met), _singles(block.factors, levels, met)]
    keys += [_uses(levels, met, list(range(len(names)))), _uses(levels, met, rest)]
    return int(candidates[np.lexsort(keys)[0]])


def _uses(levels: NDArray[np.int64], met: NDArray[np.int64], columns: list[int]) -> NDArray[np.int64]:
    """Count how often each point was met, looking at some columns only [shape=(points,)]."""
    count: dict[tuple[int, ...], int] = {}
    for row in met[:, columns].tolist():
        count[tuple(row)] = count.get(tuple(row), 0) + 1
    if not count:
        return np.zeros(len(levels), dtype=np.int64)
    return np.array([count.get(tuple(row), 0) for row in levels[:, columns].tolist()], dtype=np.int64)


def _singles(factors: tuple[Factor, ...], levels: NDArray[np.int64], met: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum, over the factors, how often a point's value was met beyond its fair share [shape=(points,)]."""
    total = np.zeros(len(levels))
    for column, factor in enumerate(factors):
        size = len(factor.values)
        count = np.bincount(met[:, column], minlength=size).astype(float)
        if factor.numeric and size > FEW:
            near = np.exp(-0.5 * ((factor.scale[:, None] - factor.scale[None, :]) / NEAR) ** 2)
            count = near @ count / near.mean(axis=1) / size
        total += (count * size)[levels[:, column]]
    return np.round(total, 9)


def _pairs(levels: NDArray[np.int64], met: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum, over pairs of factors, how often a point's two values were met together [shape=(points,)]."""
    total = np.zeros(len(levels), dtype=np.int64)
    for row in met:
        same = (levels == row).sum(axis=1)
        total += same * (same - 1) // 2
    return total
