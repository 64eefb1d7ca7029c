"""How often a scorer chooses as people do, with intervals that know which pairs share a song, a rater or a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.metrics import Figure


def agreement(
    a: np.ndarray,
    b: np.ndarray,
    share: np.ndarray,
    left: np.ndarray | None = None,
    right: np.ndarray | None = None,
    *,
    systems: tuple[np.ndarray, np.ndarray] | None = None,
    clusters: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Hold a scorer against human A/B choices.

    Ties of people have no right answer: they are counted and take no part in any accuracy. Equal scores are half
    right. In a win rate both kinds of tie are half a win.

    Parameters
    ----------
    a, b : float arrays [shape=(n,)]
        Scores of both songs.
    share : float array [shape=(n,)]
        1 where people chose a, 0 where b, 0.5 for a tie.
    left, right : int arrays [shape=(n,)], optional
        Which songs a and b are; without them every song is taken for a new one.
    systems : pair of str arrays [shape=(n,)], optional
        What made a, and what made b.
    clusters : mapping of str to array [shape=(n,)], optional
        What else pairs may share, such as the rater or the prompt.

    Returns
    -------
    dict
        ``accuracy`` [value, low, high] over decided pairs, ``pairs``, ``ties`` (of people), ``even`` (decided pairs
        with equal scores), ``songs``, ``clusters`` (how many values each has). With systems: ``systems``, by name the
        ``accuracy`` over decided pairs with a song of it on either side, their number ``decided``, ``pairs``, and,
        over the pairs against other systems, ``win_rate`` in people's eyes and ``scorer_win_rate`` in the scorer's;
        ``matchups``, a list of the same by pair of ``systems`` in alphabetic order, the rates being the first's.

    Raises
    ------
    UsageError
        If every pair is a tie.
    """
    n = len(share)
    if not (share != 0.5).any():
        raise UsageError("every pair is a tie; there is no choice to agree with.")
    if left is None or right is None:
        left, right = np.arange(n), np.arange(n, 2 * n)
    known = {name: np.asarray(column) for name, column in (clusters or {}).items()}
    said = np.where(a == b, 0.5, (a > b).astype(float))
    right_share = np.where(said == 0.5, 0.5, (said == share).astype(float))

    def of(values: np.ndarray, rows: np.ndarray) -> list[float | None]:
        if not len(rows):
            return [None, None, None]
        columns = [column[rows] for column in known.values()]
        return share_interval(values[rows], left[rows], right[rows], columns).to_list()

    def accuracy(rows: np.ndarray) -> dict[str, Any]:
        decided = rows[share[rows] != 0.5]
        return {"accuracy": of(right_share, decided), "decided": len(decided), "pairs": len(rows)}

    whole = np.arange(n)
    result: dict[str, Any] = {
        **accuracy(whole),
        "ties": int((share == 0.5).sum()),
        "even": int((said[share != 0.5] == 0.5).sum()),
        "songs": len(np.unique(np.concatenate([left, right]))),
        "clusters": {name: len(np.unique(column)) for name, column in known.items()},
    }
    if systems is None:
        return result
    first, second = (np.asarray(side, dtype=str) for side in systems)
    names = np.unique(np.concatenate([first, second]))

    def rates(name: str, rows: np.ndarray) -> dict[str, Any]:
        # Seen from the system's side of each pair.
        won, thought = (np.where(first == name, word, 1 - word) for word in (share, said))
        return {"win_rate": of(won, rows), "scorer_win_rate": of(thought, rows)}

    result["systems"] = {
        str(name): {
            **accuracy(np.flatnonzero((first == name) | (second == name))),
            **rates(name, np.flatnonzero((first == name) != (second == name))),
        }
        for name in names
    }
    low, high = np.where(first <= second, first, second), np.where(first <= second, second, first)
    result["matchups"] = [
        {
            "systems": [str(one), str(other)],
            **accuracy(rows),
            **rates(one, rows if one != other else rows[:0]),
        }
        for one, other in sorted(set(zip(low.tolist(), high.tolist(), strict=True)))
        if len(rows := np.flatnonzero((low == one) & (high == other)))
    ]
    return result


def share_interval(
    values: np.ndarray, left: np.ndarray, right: np.ndarray, clusters: Sequence[np.ndarray] = ()
) -> Figure:
    """Give the mean of numbers of 0 to 1, one per pair of songs, its 95 % interval.

    Two pairs are taken for dependent when they share a song (on whichever side) or a cluster; the variance of the mean
    is the sum over all dependent pairs of pairs of the product of their residuals, as in [1]_ and [2]_, and at least
    that of independent pairs. The interval is Wilson's for as many independent pairs as have that variance [3]_, with
    Student's t for as many degrees of freedom as there are clusters of equal size with the same sum of squares [4]_.
    `benchmarks/evaluation.py pairs` measures its coverage.

    Parameters
    ----------
    values : float array [shape=(n,)]
    left, right : int arrays [shape=(n,)]
        The songs of each pair, two different ones.
    clusters : sequence of arrays [shape=(n,)]

    References
    ----------
    .. [1] Aronow, Samii and Assenova, "Cluster-Robust Variance Estimation for Dyadic Data", Political Analysis 23,
       2015.
    .. [2] Cameron, Gelbach and Miller, "Robust Inference With Multiway Clustering", JBES 29, 2011.
    .. [3] Dean and Pagano, "Evaluating Confidence Interval Methods for Binomial Proportions in Clustered Surveys",
       Journal of Survey Statistics and Methodology 3, 2015.
    .. [4] Carter, Schnepel and Steigerwald, "Asymptotic Behavior of a t-Test Robust to Cluster Heterogeneity", Review
       of Economics and Statistics 99, 2017.
    """
    from scipy import stats

    n, mean = len(values), float(values.mean())
    off = values - mean
    # One value throughout tells nothing of how much values differ, and values that never return join no pairs.
    clusters = [column for column in clusters if 1 < len(np.unique(column)) < n]
    units = max(2.0, min(_equal_sized(column) for column in (np.concatenate([left, right]), *clusters)))
    variance = max(_dependent(off, left, right, clusters), float(off @ off)) / n**2 * units / (units - 1)
    # All right, or all wrong, shows no variance; then no two pairs that could depend on each other count as two.
    alone = min(float(n), mean * (1 - mean) / variance if variance > 0 else units / 2)
    t = float(stats.t.ppf(0.975, units - 1))
    middle = (mean + t * t / (2 * alone)) / (1 + t * t / alone)
    half = t / (1 + t * t / alone) * float(np.sqrt(mean * (1 - mean) / alone + t * t / (4 * alone * alone)))
    return Figure(mean, 0.0 if mean == 0 else middle - half, 1.0 if mean == 1 else middle + half)


def _equal_sized(column: np.ndarray) -> float:
    sizes = np.unique(column, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def _dependent(off: np.ndarray, left: np.ndarray, right: np.ndarray, clusters: Sequence[np.ndarray]) -> float:
    """Sum the products of residuals over all pairs of rows that share anything, by inclusion and exclusion.

    Each row goes with itself; n rows need sums over 2^(k + 1) groupings for k clusters, not n² comparisons.
    """
    low, high = np.minimum(left, right), np.maximum(left, right)

    def same(*columns: np.ndarray) -> float:
        return _squares(off, columns)

    def same_song(*columns: np.ndarray) -> float:
        # Rows with both songs in common would count twice.
        doubled = [np.concatenate([column, column]) for column in columns]
        by_song = _squares(np.concatenate([off, off]), [np.concatenate([left, right]), *doubled])
        return by_song - same(low, high, *columns)

    total = 0.0
    for size in range(len(clusters) + 1):
        for some in combinations(clusters, size):
            sign = 1.0 if size % 2 else -1.0
            total += sign * ((same(*some) if some else 0.0) - same_song(*some))
    return total


def _squares(off: np.ndarray, columns: Sequence[np.ndarray]) -> float:
    """Sum the squares of the residuals' sums over rows that are alike in every column."""
    code = np.zeros(len(off), dtype=np.int64)
    for column in columns:
        # Codes stay below the number of rows, so that products cannot overflow.
        _, own = np.unique(column, return_inverse=True)
        _, code = np.unique(code * (int(own.max()) + 1) + own, return_inverse=True)
    return float((np.bincount(code, weights=off) ** 2).sum())
