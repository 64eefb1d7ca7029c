"""What a judge is worth: against people's choices, as a filter of N takes, and sets against sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.selection import mean_distance, vendi
from optimizer.training.metrics import bootstrap
from optimizer.training.pairwise import accuracy

SIZES = (1, 2, 4, 8, 16, 32, 64)


def agreement(
    a: np.ndarray, b: np.ndarray, share: np.ndarray, systems: Sequence[str] | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Hold a scorer against human A/B choices.

    Parameters
    ----------
    a, b : float arrays [shape=(n,)]
        Scores of both songs.
    share : float array [shape=(n,)]
        1 where people chose a, 0 where b, 0.5 for a tie.
    systems : sequence of str, optional
        What made each pair's songs, for figures by system.
    seed : int

    Returns
    -------
    dict
        ``accuracy`` [value, low, high] over decided pairs (equal scores count half), ``pairs``, ``ties`` (of people),
        ``even`` (equal scores), ``systems``.
    """
    gap = a - b
    decided = np.flatnonzero(share != 0.5)
    if not len(decided):
        raise UsageError("every pair is a tie; there is no choice to agree with.")

    def of(rows: np.ndarray) -> list[float | None]:
        found = bootstrap(lambda r: {"x": accuracy(gap[rows[r]], share[rows[r]])}, np.arange(len(rows)), seed=seed)
        return found["x"].to_list()

    result: dict[str, Any] = {
        "accuracy": of(decided),
        "pairs": len(share),
        "ties": int((share == 0.5).sum()),
        "even": int((gap[decided] == 0).sum()),
    }
    if systems is not None:
        names = np.asarray(systems, dtype=str)
        result["systems"] = {
            name: {"accuracy": of(rows), "pairs": len(rows)}
            for name in sorted(set(names[decided]))
            if len(rows := decided[names[decided] == name])
        }
    return result


def best_of(
    picker: np.ndarray, judge: np.ndarray, *, sizes: Sequence[int] = SIZES, seed: int = 0
) -> list[dict[str, Any]]:
    """Say how good the best of N songs by one scorer is in the ears of another.

    The mean over all draws of N songs without repeats is worked out exactly: of n songs in the picker's order the
    k-th best is the pick with probability C(n - k, N - 1) / C(n, N).

    Parameters
    ----------
    picker, judge : float arrays [shape=(n,)]
    sizes : sequence of int
        N; those above n are left out.
    seed : int

    Returns
    -------
    list of dict
        ``n``, ``judge`` [mean, low, high] (bootstrap over songs), ``oracle`` (had the judge picked).
    """
    sizes = [size for size in sizes if size <= len(judge)]

    def means(rows: np.ndarray) -> dict[str, float]:
        found = {}
        for word, by in (("judge", picker), ("oracle", judge)):
            order = rows[np.argsort(-by[rows], kind="stable")]
            for size in sizes:
                found[f"{word} {size}"] = float(_pick_chances(len(rows), size) @ judge[order])
        return found

    figures = bootstrap(means, np.arange(len(judge)), seed=seed, rounds=300)
    return [
        {"n": size, "judge": figures[f"judge {size}"].to_list(), "oracle": figures[f"oracle {size}"].value}
        for size in sizes
    ]


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


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Fréchet distance of two sets' Gaussians, covariances shrunk after Ledoit and Wolf.

    Parameters
    ----------
    a, b : float arrays [shape=(n, d)], [shape=(m, d)]
        Fewer songs than dimensions leave a covariance singular; shrinking it towards a multiple of the identity
        keeps the distance defined, and the same for both sets.

    References
    ----------
    .. [1] Kilgour et al., "Fréchet Audio Distance", Interspeech 2019.
    .. [2] Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    gap = a.mean(axis=0) - b.mean(axis=0)
    first, second = _shrunk(a), _shrunk(b)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # The trace of the root of the product, through a symmetric matrix with the same eigenvalues.
    product = np.linalg.eigvalsh(root @ second @ root)
    cross = float(np.sqrt(np.maximum(product, 0.0)).sum())
    return max(0.0, float(gap @ gap + np.trace(first) + np.trace(second) - 2 * cross))


def _shrunk(x: np.ndarray) -> np.ndarray:
    n, d = x.shape
    z = np.asarray(x, dtype=np.float64) - x.mean(axis=0)
    sample = z.T @ z / n
    level = float(np.trace(sample)) / d
    spread = float(((sample - level * np.eye(d)) ** 2).sum())
    noise = (float((np.einsum("ij,ij->i", z, z) ** 2).sum()) / n - float((sample**2).sum())) / n
    share = min(1.0, max(0.0, noise / spread)) if spread > 0 else 0.0
    return np.asarray((1 - share) * sample + share * level * np.eye(d))


def set_figures(
    x: np.ndarray, reference: np.ndarray | None = None, *, seed: int = 0, rounds: int = 100
) -> dict[str, Any]:
    """Say how varied a set is, and how far from a reference.

    Intervals come from subsets of four fifths of the songs, without repeats: a song drawn twice would pass for a
    lack of variety.

    Parameters
    ----------
    x : float array [shape=(n, d)]
    reference : float array [shape=(m, d)], optional
    seed, rounds : int

    Returns
    -------
    dict
        ``songs``, ``vendi`` and ``mean_distance`` [value, low, high] of embeddings standardised by the reference (by
        the set itself where there is none), ``frechet`` of embeddings scaled likewise.
    """
    if len(x) < 2 or (reference is not None and len(reference) < 2):
        raise UsageError("a set needs two songs or more.")
    base = x if reference is None else reference
    centre, scale = base.mean(axis=0), base.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = (np.asarray(x, dtype=np.float64) - centre) / scale
    other = None if reference is None else (np.asarray(reference, dtype=np.float64) - centre) / scale
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / np.maximum(lengths, 1e-12)

    def figures(rows: np.ndarray, distance: bool) -> dict[str, float]:
        found = {"vendi": vendi(unit[rows]), "mean_distance": mean_distance(unit[rows])}
        if other is not None and distance:
            found["frechet"] = frechet(z[rows], other)
        return found

    rng = np.random.default_rng(seed)
    whole = figures(np.arange(len(x)), True)
    size = max(2, int(0.8 * len(x)))
    # The distance costs three eigenproblems of the embedding's width; fewer subsets do for it.
    drawn = [
        figures(rng.choice(len(x), size, replace=False), number < max(rounds // 5, 10)) for number in range(rounds)
    ]
    result: dict[str, Any] = {"songs": len(x)}
    for name, value in whole.items():
        numbers = np.array([found[name] for found in drawn if name in found])
        # A part's figure is off by its size; its spread, scaled to the whole, is what the interval needs.
        half = 1.96 * float(numbers.std()) * np.sqrt(size / max(len(x) - size, 1)) if len(x) > 2 else 0.0
        result[name] = [value, value - half, value + half]
    return result


def scores_of(scores: Sequence[Any]) -> tuple[np.ndarray, Mapping[str, str]]:
    """Return scores [shape=(n,)] with nan where there is none, and the reasons by path."""
    values = np.array([float("nan") if one.score is None else float(one.score) for one in scores])
    return values, {one.path: str(one.error) for one in scores if one.error}
