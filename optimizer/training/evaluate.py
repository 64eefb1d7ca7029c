"""What a scorer buys as a filter: how good the best of N songs by one scorer is in the ears of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.training.metrics import Figure

SIZES = (1, 2, 4, 8, 16, 32, 64)


def best_of(
    picker: np.ndarray,
    judge: np.ndarray,
    *,
    pools: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    sizes: Sequence[int] = SIZES,
) -> list[dict[str, Any]]:
    """Say how good the best of N songs by one scorer is in the ears of another.

    The mean over all draws of N songs of a pool without repeats is worked out exactly: of n songs in the picker's order
    the k-th best is the pick with probability C(n - k, N - 1) / C(n, N). Songs that the picker scores the same share
    their chances. Pools weigh the same whatever their size; one with fewer than N songs takes no part in that N, which
    is why the gain is over one song of the pools that do.

    Intervals come from the jackknife, one song left out at a time within its pool, or one group; with Student's t for
    as many degrees of freedom as the spread of what is left out allows, since of many songs few are ever picked.
    `benchmarks/evaluation.py best-of` measures their coverage.

    Parameters
    ----------
    picker, judge : float arrays [shape=(n,)]
    pools : array [shape=(n,)], optional
        Which songs compete with each other: those of a genre or a prompt; without it all do.
    groups : array [shape=(n,)], optional
        Songs that are no two witnesses (an artist's, a prompt's).
    sizes : sequence of int
        N; those above the largest pool are left out.

    Returns
    -------
    list of dict
        ``n``, ``pools``, ``judge`` [mean, low, high], ``gain`` over one song likewise, ``oracle`` (the mean had the
        judge picked). Without ends where a song less would leave too few to draw N from.
    """
    names = np.zeros(len(judge), dtype=int) if pools is None else np.unique(pools, return_inverse=True)[1]
    members = [np.flatnonzero(names == name) for name in range(int(names.max()) + 1)]
    found = []
    for size in sizes:
        able = [rows for rows in members if len(rows) >= size]
        if not able:
            continue
        value, single = (np.mean([_pick(picker, judge, rows, n) for rows in able]) for n in (size, 1))
        if groups is None:
            without, scale = _less_a_song(picker, judge, able, size)
        else:
            without, scale = _less_a_group(picker, judge, able, np.asarray(groups), size)
        oracle = float(np.mean([_pick(judge, judge, rows, size) for rows in able]))
        figures = (_jackknife(float(value), without[0], scale), _jackknife(float(value - single), without[1], scale))
        mean, gain = (figure.to_list() for figure in figures)
        if size == 1:
            # One song gains nothing over one song; sums in another order would leave a trace.
            gain = [0.0, 0.0, 0.0]
        found.append({"n": size, "pools": len(able), "judge": mean, "gain": gain, "oracle": oracle})
    return found


def _pick(picker: np.ndarray, judge: np.ndarray, rows: np.ndarray, size: int) -> float:
    said, starts, ends = _in_order(picker[rows], judge[rows])
    return float(_pick_chances(len(rows), size) @ _level(said, starts, ends))


def _in_order(picker: np.ndarray, judge: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the judge's words in the picker's order, and for each where the songs of its score begin and end."""
    order = np.argsort(-picker, kind="stable")
    rising = -picker[order]
    return judge[order], np.searchsorted(rising, rising, "left"), np.searchsorted(rising, rising, "right")


def _level(said: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Give songs that the picker cannot tell apart the mean of what the judge says of them."""
    total = np.concatenate([[0.0], np.cumsum(said)])
    return np.where(ends - starts == 1, said, (total[ends] - total[starts]) / (ends - starts))


def _less_a_song(
    picker: np.ndarray, judge: np.ndarray, able: Sequence[np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the mean and the gain become for each song left out, less their mean over the pool, and a scale."""
    parts, scales = [], []
    for rows in able:
        n = len(rows)
        if n <= size:
            return np.full((2, 1), np.nan), np.ones(1)
        said, starts, ends = _in_order(picker[rows], judge[rows])
        level, chances = _level(said, starts, ends), _pick_chances(n - 1, size)
        # Without a song those of a better score keep their rank, its equals are one fewer, the rest move up by one.
        better = np.concatenate([[0.0], np.cumsum(chances * level[:-1])])[starts]
        worse = np.append(np.cumsum((chances * level[1:])[::-1])[::-1], 0.0)[ends - 1]
        reach = np.concatenate([[0.0], np.cumsum(chances)])
        others = (level * (ends - starts) - said) / np.maximum(ends - starts - 1, 1)
        left = better + (reach[ends - 1] - reach[starts]) * others + worse
        both = np.stack([left, left - (said.sum() - said) / (n - 1)]) / len(able)
        parts.append(both - both.mean(axis=1, keepdims=True))
        scales.append(np.full(n, (n - 1) / n))
    return np.concatenate(parts, axis=1), np.concatenate(scales)


def _less_a_group(
    picker: np.ndarray, judge: np.ndarray, able: Sequence[np.ndarray], groups: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    names = np.unique(np.concatenate([groups[rows] for rows in able]))
    left = np.full((2, len(names)), np.nan)
    for column, name in enumerate(names):
        kept = [rows[groups[rows] != name] for rows in able]
        # A group may be a whole pool; a pool that is merely too small without it cannot be left out for it.
        kept = [rows for rows in kept if len(rows)]
        if kept and all(len(rows) >= size for rows in kept):
            value, single = (np.mean([_pick(picker, judge, rows, n) for rows in kept]) for n in (size, 1))
            left[:, column] = value, value - single
    return left - left.mean(axis=1, keepdims=True), np.full(len(names), (len(names) - 1) / len(names))


def _jackknife(value: float, off: np.ndarray, scale: np.ndarray) -> Figure:
    from scipy import stats

    parts = scale * off**2
    total = float(parts.sum())
    if len(off) < 2 or not np.isfinite(total):
        return Figure(value, float("nan"), float("nan"))
    # Satterthwaite's: of normal numbers a third of their count is what this ratio comes to.
    freedom = 3 * total**2 / float(parts @ parts) - 1 if total > 0 else 1.0
    half = float(stats.t.ppf(0.975, min(max(freedom, 1.0), len(off) - 1))) * float(np.sqrt(total))
    return Figure(value, value - half, value + half)


def _pick_chances(n: int, size: int) -> np.ndarray:
    """Return the chance of each rank to be the best of `size` drawn from `n`."""
    # C(n - k, N - 1) / C(n, N) by its recurrence, in logs since the numbers overflow.
    from scipy.special import gammaln

    rank = np.arange(1, n - size + 2)
    log = (
        gammaln(n - rank + 1) - gammaln(size) - gammaln(n - rank - size + 2)
        - (gammaln(n + 1) - gammaln(size + 1) - gammaln(n - size + 1))
    )  # fmt: skip
    chances = np.zeros(n)
    chances[: len(rank)] = np.exp(log)
    return chances


def scores_of(scores: Iterable[Any]) -> tuple[np.ndarray, Mapping[str, str]]:
    """Return scores [shape=(n,)] with nan where there is none, and the reasons by path."""
    every = list(scores)
    values = np.array([float("nan") if one.score is None else float(one.score) for one in every])
    return values, {one.path: str(one.error) for one in every if one.error}
